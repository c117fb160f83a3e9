package check

import (
	"strings"
	"unicode"

	"github.com/seed-5afa5581/graft/data/rows"
)

// A signature sums up the runs of three words of a text: one-permutation
// MinHash (Li, Owen, Zhang 2012), with empty bins filled from their neighbours
// (Shrivastava, Li 2014). The share of bins in which two signatures agree estimates
// the share of runs that two texts have in common.
type signature [bins]uint32

const (
	bins    = 60
	bands   = 12 // near-duplicates are looked up by the bins of a band
	perBand = bins / bands
	run     = 3 // words
	// alike is the share of common runs from which on texts are near-duplicates.
	alike = 0.8
)

// sign returns the signature of a text, or false if it is too short to tell.
func sign(text string) (s signature, ok bool) {
	const fewest = 6
	words := words(text)
	if len(words) < fewest {
		return s, false
	}
	var full [bins]bool
	for i := run; i <= len(words); i++ {
		h := uint64(fnvOffset)
		for _, w := range words[i-run : i] {
			h = (h ^ w) * fnvPrime
		}
		h = mix(h)
		bin, value := h%bins, uint32(h>>32)
		if !full[bin] || value < s[bin] {
			s[bin], full[bin] = value, true
		}
	}
	for i := range s {
		for j := i; !full[i]; {
			if j = (j + 1) % bins; full[j] {
				s[i] = s[j] + uint32((j-i+bins)%bins)*0x9E3779B9
				break
			}
		}
	}
	return s, true
}

// words returns the hashes of a text's words in small letters. Letters of
// scripts without spaces are words of their own.
func words(text string) (hashes []uint64) {
	h, within := uint64(fnvOffset), false
	end := func() {
		if within {
			hashes = append(hashes, mix(h))
		}
		h, within = fnvOffset, false
	}
	for _, r := range text {
		switch {
		case r < 0x80 && ('a' <= r && r <= 'z' || '0' <= r && r <= '9'):
		case r < 0x80 && 'A' <= r && r <= 'Z':
			r += 'a' - 'A'
		case r < 0x80:
			end()
			continue
		case unspaced(r):
			end()
			hashes = append(hashes, mix(uint64(r)))
			continue
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			r = unicode.ToLower(r)
		default:
			end()
			continue
		}
		h, within = (h^uint64(r))*fnvPrime, true
	}
	end()
	return hashes
}

// unspaced tells letters that are written without spaces between words.
func unspaced(r rune) bool {
	return r >= 0x2E80 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) || r >= 0x0E00 && r < 0x0F00
}

// The hash is FNV-1a with the finaliser of SplitMix64.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// hash is that of a text without regard to white space at its ends.
func hash(text string) uint64 {
	h := uint64(fnvOffset)
	text = strings.TrimSpace(text)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * fnvPrime
	}
	return mix(h)
}

// likeness estimates the share of runs that two texts have in common.
func (s *signature) likeness(other *signature) float64 {
	n := 0
	for i := range s {
		if s[i] == other[i] {
			n++
		}
	}
	return float64(n) / bins
}

// A nearIndex finds texts that are nearly the same as an earlier one.
type nearIndex struct {
	signatures []signature
	places     []rows.Place
	bands      map[uint64]int32 // of a band's bins, the first text that has them
	limit      int              // texts that are remembered
}

func newNearIndex(limit int) *nearIndex {
	return &nearIndex{bands: map[uint64]int32{}, limit: limit}
}

// band returns the key of a band of bins.
func (s *signature) band(b int) uint64 {
	h := mix(uint64(b) + 1)
	for _, v := range s[b*perBand : (b+1)*perBand] {
		h = (h ^ uint64(v)) * fnvPrime
	}
	return mix(h)
}

// find returns the number of an earlier text that is nearly the same, and how near.
func (x *nearIndex) find(s *signature) (at int, likeness float64) {
	at = -1
	for b := range bands {
		i, ok := x.bands[s.band(b)]
		if !ok || int(i) == at {
			continue
		}
		if l := s.likeness(&x.signatures[i]); l >= alike && l > likeness {
			at, likeness = int(i), l
		}
	}
	return at, likeness
}

// add remembers a text, as long as there is room.
func (x *nearIndex) add(s *signature, at rows.Place) {
	if len(x.signatures) == x.limit {
		return
	}
	n := int32(len(x.signatures))
	x.signatures, x.places = append(x.signatures, *s), append(x.places, at)
	for b := range bands {
		if key := s.band(b); x.bands[key] == 0 {
			if _, taken := x.bands[key]; !taken {
				x.bands[key] = n
			}
		}
	}
}

// full tells whether texts were not remembered for want of room.
func (x *nearIndex) full() bool { return len(x.signatures) == x.limit }
