package linger

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Brief makes foreign text fit for one line of a reason: 80 bytes at most, and
// a dot for what cannot be printed.
func Brief(s string) string {
	const most = 80
	out := strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '.'
		}
		return c
	}, s[:min(len(s), most)])
	if len(s) > most {
		out += "..."
	}
	return out
}

// Quoted shows foreign bytes, of which there were n and first are the first: 60 of them at
// most, as Go quotes a string of ASCII, and … where there were more.
func Quoted(first []byte, n int) string {
	const most = 60
	out := strconv.QuoteToASCII(string(first[:min(len(first), most)]))
	if n > min(len(first), most) {
		out += "…"
	}
	return out
}

// Plural writes a count with what is counted: "1 trial", "3 queries".
func Plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	if stem, ok := strings.CutSuffix(word, "y"); ok {
		word = stem + "ie"
	}
	return strconv.Itoa(n) + " " + word + "s"
}

// WithoutUser is a URL without user and password (RFC 3986, 3.2.1), which are nobody's
// business but the server's.
func WithoutUser(url string) string {
	if strings.IndexByte(url, '@') < 0 {
		return url
	}
	scheme, rest, ok := strings.Cut(url, "//")
	if !ok {
		return url
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	return scheme + "//" + rest[strings.LastIndexByte(rest[:end], '@')+1:]
}

// Unreadable is how an error shows what should have been a URL: without anything before an @,
// which may be a password with letters that may not stand there.
func Unreadable(url string) string {
	at := strings.LastIndexByte(url, '@')
	if at < 0 {
		return strconv.Quote(url)
	}
	return strconv.Quote("…" + url[at:])
}

// EscapeURL writes what may not stand in a URI (RFC 3986, 2) as %XX.
func EscapeURL(s string) string {
	var out strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 ||
			c == '%' && !(i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])) {
			fmt.Fprintf(&out, "%%%02X", c)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
