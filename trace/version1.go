package trace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Version 1 had instants and lengths of time in whole nanoseconds, under names that
// ended with _ns, and the ends of a connection as local and remote.

// renamed are the names that are others now.
var renamed = map[string]string{"local": "client", "remote": "server"}

// fromVersion1 makes a line of version 1 into one of version 2. What predictions were
// made with stays as it is: it is the simulator's, which knows its own.
func fromVersion1(line []byte) ([]byte, error) {
	if !json.Valid(line) {
		var v any
		return nil, json.Unmarshal(line, &v) // tells where
	}
	out := make([]byte, 0, len(line))
	for len(line) > 0 {
		if line[0] != '"' {
			out, line = append(out, line[0]), line[1:]
			continue
		}
		text, rest := cutString(line)
		value := bytes.TrimLeft(rest, " \t\r\n:")
		if len(value) == len(bytes.TrimLeft(rest, " \t\r\n")) { // no colon: it is a value itself
			out, line = append(out, text...), rest
			continue
		}
		line = value
		name := string(text[1 : len(text)-1])
		base, isTime := strings.CutSuffix(name, "_ns")
		switch other := renamed[name]; {
		case name == "model":
			n := lengthOf(value)
			out, line = append(append(out, `"model":`...), value[:n]...), value[n:]
		case isTime:
			us, n, err := micros(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			out, line = append(append(out, `"`+base+`_us":`...), us...), value[n:]
		case other != "":
			out = append(out, `"`+other+`":`...)
		default:
			out = append(append(out, text...), ':')
		}
	}
	return out, nil
}

// cutString takes the string that valid JSON begins with, with its quotes.
func cutString(b []byte) (text, rest []byte) {
	end := 1
	for ; b[end] != '"'; end++ {
		if b[end] == '\\' {
			end++
		}
	}
	return b[:end+1], b[end+1:]
}

// lengthOf is how many bytes the value takes that valid JSON begins with.
func lengthOf(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']', ',':
			if depth == 0 {
				return i
			}
			if b[i] != ',' {
				depth--
			}
		case '"':
			text, _ := cutString(b[i:])
			i += len(text) - 1
		}
	}
	return len(b)
}

// micros is the whole number of nanoseconds that b begins with in microseconds, and how
// many bytes it took. Anything that is no such number is an error, but for null.
func micros(b []byte) (us []byte, n int, err error) {
	if bytes.HasPrefix(b, []byte("null")) {
		return b[:4], 4, nil
	}
	n = lengthOf(b)
	number := bytes.TrimSpace(b[:n])
	digits := bytes.TrimPrefix(number, []byte("-"))
	if len(digits) == 0 || len(bytes.Trim(digits, "0123456789")) > 0 {
		return nil, 0, fmt.Errorf("%.40q is no whole number", number)
	}
	sign := number[:len(number)-len(digits)]
	if short := 4 - len(digits); short > 0 {
		digits = append([]byte("0000")[:short], digits...)
	}
	point := len(digits) - 3
	return fmt.Appendf(nil, "%s%s.%s", sign, digits[:point], digits[point:]), n, nil
}
