package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
)

// A scanner reads the little of JSON that headers consist of: objects, arrays,
// strings and sizes. encoding/json would hide that a name comes twice, and its
// tokens take four times as long.
type scanner struct {
	text []byte // valid UTF-8
	at   int
}

// peek returns the next byte that is no space, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.at < len(s.text); s.at++ {
		if c := s.text[s.at]; c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c
		}
	}
	return 0
}

// take skips c if it comes next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// unexpected is the error for whatever comes next instead of want.
func (s *scanner) unexpected(want string) error {
	if s.at == len(s.text) {
		return fmt.Errorf("the header ends where %s should be", want)
	}
	return fmt.Errorf("byte %d of the header: %.10q instead of %s", s.at, s.text[s.at:], want)
}

// object reads an object and calls value after each key to read its value.
func (s *scanner) object(value func(key string) error) error {
	if !s.take('{') {
		return s.unexpected("an object")
	}
	if s.take('}') {
		return nil
	}
	for {
		key, err := s.string("a key")
		if err != nil {
			return err
		}
		if !s.take(':') {
			return s.unexpected("a colon")
		}
		if err := value(key); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return s.unexpected("a comma or }")
		}
	}
}

// sizes reads an array of sizes.
func (s *scanner) sizes() ([]int, error) {
	list := []int{}
	if !s.take('[') {
		return nil, s.unexpected("an array")
	}
	if s.take(']') {
		return list, nil
	}
	for {
		n, err := s.size()
		if err != nil {
			return nil, err
		}
		list = append(list, n)
		if s.take(']') {
			return list, nil
		}
		if !s.take(',') {
			return nil, s.unexpected("a comma or ]")
		}
	}
}

// size reads a whole number that is not negative and fits an int.
func (s *scanner) size() (n int, err error) {
	s.peek()
	start := s.at
	for ; s.at < len(s.text) && s.text[s.at]-'0' < 10; s.at++ {
		digit := int(s.text[s.at] - '0')
		if n > (math.MaxInt-digit)/10 {
			s.at = start
			return 0, s.unexpected("a size that memory could hold")
		}
		n = 10*n + digit
	}
	digits := s.text[start:s.at]
	if len(digits) == 0 || len(digits) > 1 && digits[0] == '0' || strings.IndexByte(",] \t\n\r", s.next()) < 0 {
		s.at = start
		return 0, s.unexpected("a size")
	}
	return n, nil
}

// next returns the byte that comes next, a comma at the end.
func (s *scanner) next() byte {
	if s.at == len(s.text) {
		return ','
	}
	return s.text[s.at]
}

// string reads a string.
func (s *scanner) string(want string) (string, error) {
	if s.peek() != '"' {
		return "", s.unexpected(want)
	}
	start, plain := s.at, true
	for i := start + 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.at = i + 1
			if plain {
				return string(s.text[start+1 : i]), nil
			}
			return unquote(s.text[start:s.at])
		case c == '\\':
			i++
			plain = false
		case c < ' ':
			s.at = i
			return "", s.unexpected("text without control characters")
		}
	}
	return "", errors.New("the header ends within a string")
}

// unquote reads a string that has escapes. encoding/json takes half of a
// surrogate pair for U+FFFD, which could make two names one.
func unquote(quoted []byte) (text string, err error) {
	if err := json.Unmarshal(quoted, &text); err != nil {
		return "", fmt.Errorf("string %.40s: %w", quoted, err)
	}
	const replacement = "\uFFFD"
	if strings.Count(text, replacement) > bytes.Count(quoted, []byte(replacement)) {
		return "", fmt.Errorf("string %.40s is no text", quoted)
	}
	return text, nil
}
