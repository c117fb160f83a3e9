// Package show prints samples as the model sees them: what is learned set off
// from what is not, special tokens and line ends visible. Text is for a
// terminal, a Page for a browser.
package show
