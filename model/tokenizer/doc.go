// Package tokenizer turns text into the ids that a model was trained on and back, exactly as the official tokenizers
// library of Hugging Face does, from the files that lie beside a checkpoint.
//
// Open and Load read tokenizer.json and the small files next to it. A Tokenizer runs the steps that the
// file describes:
//
//	added tokens -> normalizers -> added tokens -> stages -> model -> post-processor
//
// First the text is split at added tokens such as <|im_start|>, which become ids at once. What lies between goes
// through the normalizers (Unicode forms, replacements) and is split at those added tokens that are matched in
// normalized text. Stages, "pre-tokenizers" in the file, cut it into pieces, by hand-written scanners for the
// patterns of the well-known models. The model, byte-pair encoding in nearly all of them, makes tokens of each
// piece. Encode adds what the post-processor puts around them, such as BOS; EncodePlain does not, and is what
// belongs behind a chat template, which writes BOS itself. Decode and Stream go the other way.
//
// What a file asks for and this package does not know is refused by name when it is loaded. Encoding and decoding
// never fail: text that is not UTF-8 is read with U+FFFD in place of what is not, and ids that do not exist
// decode to nothing.
//
// Text that decodes to itself is not a promise of every tokenizer: some lose a leading space, put one behind special
// tokens, or normalize. Ids are int32. Offsets are bytes.
//
// The names in this package are those of tokenizer.json wherever it has one.
package tokenizer
