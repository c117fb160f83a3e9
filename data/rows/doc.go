// Package rows reads the records of files, one by one, in the form that each
// file has them.
//
// A Row is one JSON object and the place it came from. JSON Lines and JSON give
// their objects as they stand; a line of CSV or TSV is an object of strings
// named by the header; a row of Parquet is an object with its lists, maps and
// structs in JSON's form; a text or a Markdown file is one object {"text": ...}.
// Thus whatever comes after has one kind of record to look at.
//
// Find turns paths, folders and patterns into a list of files. A File is read as
// a stream: memory holds one record (of Parquet: one page of each column), so
// that a file may be larger than memory. gzip and zstd are undone on the way. Text is UTF-8 with or
// without a byte order mark, UTF-16 or GB18030; File.Encoding says which it was.
//
// Errors name the file and the line: a reader never skips what it cannot read.
package rows
