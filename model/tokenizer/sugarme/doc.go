// Package sugarme dresses a tokenizer of graft as one of github.com/sugarme/tokenizer, for programs that are written
// for that package: same calls, the ids of the official library.
//
//	t, err := tokenizer.Open(dir)
//	...
//	encoding, err := sugarme.New(t).EncodeSingle("Hello", true)
//
// Ids, tokens, offsets in bytes, the decoded text, the masks, truncation and padding are as they should be. What
// remains of that package: text has to be UTF-8, as it panics on other text; all tokens are of word 0, as the words
// are not told apart; DecodeBatch has a data race; and tokens that are added to the result later are not found in
// texts. It is tens of times slower than the tokenizer inside, which does all the work on the first call that
// allows it.
package sugarme
