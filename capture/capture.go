// Package capture turns what others have recorded into traces. Their provenance
// is Observed; what the recording does not tell is unknown, and what had to be
// guessed or left out stands in the trace's notes.
package capture

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"linger"
)

// maxLoad is the longest load that is taken for one; a time beyond it is a fault
// of whoever recorded it.
const maxLoad = 24 * time.Hour

// A number is a JSON number, or text that spells one. Anything else, and any
// number that means "unknown", is read as unknown: recorders disagree on it.
type number struct{ linger.Opt[float64] }

func (n *number) UnmarshalJSON(b []byte) error {
	n.Opt = linger.Opt[float64]{}
	if v, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64); err == nil {
		n.Opt = linger.Known(v)
	}
	return nil
}

// size is n as a number of bytes up to limit; unknown where it cannot be one.
func (n number) size(limit int64) linger.Opt[int64] {
	if v, ok := n.Get(); ok && v >= 0 && v <= float64(limit) {
		return linger.Known(int64(v))
	}
	return linger.Opt[int64]{}
}

// span is n milliseconds; unknown where no load can last as long.
func (n number) span() linger.Opt[time.Duration] {
	if v, ok := n.Get(); ok && v >= 0 && v <= float64(maxLoad/time.Millisecond) {
		return linger.Known(time.Duration(v * float64(time.Millisecond)))
	}
	return linger.Opt[time.Duration]{}
}

// A text is a JSON string, or a number or truth value as it is written. Anything
// else is read as empty.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	*t = ""
	switch b[0] {
	case '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*t = text(s)
	case '{', '[', 'n':
	default:
		*t = text(b)
	}
	return nil
}
