package check

import (
	"regexp"
	"strings"
)

// secrets are keys and passwords, by a text that each begins with, so that the
// expression is rarely tried.
var secrets = []struct {
	name, begins string
	match        *regexp.Regexp
}{
	{"an AWS key", "AKIA", regexp.MustCompile(`\bAKIA[0-9A-Z]{16}\b`)},
	{"a GitHub token", "ghp_", regexp.MustCompile(`\bghp_[0-9A-Za-z]{36,}`)},
	{"a GitHub token", "gho_", regexp.MustCompile(`\bgho_[0-9A-Za-z]{36,}`)},
	{"a GitHub token", "ghs_", regexp.MustCompile(`\bghs_[0-9A-Za-z]{36,}`)},
	{"a GitHub token", "github_pat_", regexp.MustCompile(`\bgithub_pat_[0-9A-Za-z_]{22,}`)},
	{"an API key", "sk-", regexp.MustCompile(`\bsk-[0-9A-Za-z_-]{20,}`)},
	{"a Hugging Face token", "hf_", regexp.MustCompile(`\bhf_[0-9A-Za-z]{30,}`)},
	{"a Google key", "AIza", regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{35}`)},
	{"a Slack token", "xox", regexp.MustCompile(`\bxox[abprs]-[0-9A-Za-z-]{10,}`)},
	{"a web token", "eyJ", regexp.MustCompile(`\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,}`)},
	{"a private key", "-----BEGIN", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)},
	{"a password in an address", "://", regexp.MustCompile(`[a-z]+://[^\s:/@]+:[^\s:/@]{3,}@[0-9A-Za-z.-]+`)},
}

// secret names the kind of secret in a text, "" if there is none.
func secret(text string) string {
	for _, s := range secrets {
		if strings.Contains(text, s.begins) && s.match.MatchString(text) {
			return s.name
		}
	}
	return ""
}

var email = regexp.MustCompile(`[0-9A-Za-z._%+-]+@[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*\.[A-Za-z]{2,}`)

// reserved are the domains of example addresses (RFC 2606).
var reserved = []string{"example.com", "example.org", "example.net", ".example", ".test", ".invalid", "localhost"}

// personal names the kind of personal data in a text, "" if there is none.
func personal(text string) string {
	if strings.Contains(text, "@") {
		for _, address := range email.FindAllString(text, -1) {
			if !isReserved(address) {
				return "an e-mail address"
			}
		}
	}
	if !hasNumber(text) {
		return ""
	}
	for _, at := range numbers.FindAllStringIndex(text, -1) {
		var before, after byte
		if at[0] > 0 {
			before = text[at[0]-1]
		}
		if before == '+' && at[0] > 1 && isDigit(rune(text[at[0]-2])) {
			before = ' ' // a sum
		}
		if at[1] < len(text) {
			after = text[at[1]]
		}
		if kind := number(text[at[0]:at[1]], before, after); kind != "" {
			return kind
		}
	}
	return ""
}

// hasNumber tells whether there may be a match of numbers, without the cost of
// looking for one.
func hasNumber(text string) bool {
	digits, others := 0, 0
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			if digits, others = digits+1, 0; digits == 9 {
				return true
			}
		case others < 2 && strings.IndexByte(" .()-", c) >= 0:
			others++
		default:
			digits, others = 0, 0
		}
	}
	return false
}

// numbers are rows of at least nine digits, maybe in groups.
var numbers = regexp.MustCompile(`\(?[0-9](?:[ .()-]{0,2}[0-9]){8,}`)

func isDigit(c rune) bool { return c >= '0' && c <= '9' }

func isReserved(address string) bool {
	for _, domain := range reserved {
		if strings.HasSuffix(strings.ToLower(address), domain) {
			return true
		}
	}
	return false
}

// Numbers that are told by how they are written.
var (
	socialSecurity = regexp.MustCompile(`^[0-9]{3}-[0-9]{2}-[0-9]{4}$`)
	northAmerican  = regexp.MustCompile(`^\(?[2-9][0-9]{2}\)?[ .-][2-9][0-9]{2}[ .-][0-9]{4}$`)
)

// number names what a row of digits between two bytes is: a card by its check
// digit (ISO/IEC 7812), a Chinese identity number by its own (GB 11643), a phone
// by its prefix or its groups.
func number(text string, before, after byte) string {
	digits := strings.Map(func(r rune) rune {
		if isDigit(r) {
			return r
		}
		return -1
	}, text)
	n := len(digits)
	switch {
	case n == 17 && (after == 'X' || after == 'x') && identity(digits+"X"), n == 18 && identity(digits):
		return "an identity number"
	case n >= 13 && n <= 19 && before != '.' && strings.IndexByte("3456", digits[0]) >= 0 && luhn(digits):
		return "a card number"
	case socialSecurity.MatchString(text):
		return "a social security number"
	case n == 11 && len(text) == 11 && digits[0] == '1' && digits[1] >= '3' && before != '.' && before != '-':
		return "a phone number"
	case before == '+' && n <= 15, northAmerican.MatchString(text):
		return "a phone number"
	}
	return ""
}

// luhn checks the last digit of a card number.
func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// identity checks the last character of a Chinese identity number, and its year.
func identity(id string) bool {
	if year := id[6:10]; year < "1900" || year > "2100" {
		return false
	}
	weight, sum := 1, 0
	for i := len(id) - 1; i >= 0; i-- {
		d := 10
		if id[i] != 'X' {
			d = int(id[i] - '0')
		}
		sum += d * weight
		weight = weight * 2 % 11
	}
	return sum%11 == 1
}
