package har

import (
	"math"
	"strconv"
	"time"

	"linger"
)

// maxLoad is the longest load that is taken for one; a time beyond it is a fault
// of whoever recorded it.
const maxLoad = 24 * time.Hour

// A number is a figure as a recorder writes it, or unknown: they disagree on how to
// say that.
type number struct {
	linger.Opt[float64]
	odd bool // something is written that is no number
}

func known(v float64) number { return number{Opt: linger.Known(v)} }

// set reads what is written, if that is a number.
func (n *number) set(written string) {
	switch v, err := strconv.ParseFloat(written, 64); {
	case err == nil:
		n.Opt = linger.Known(v)
	case written != "":
		n.odd = true
	}
}

// isOdd reports whether n is written and cannot be a number of bytes up to limit. A small
// negative one is how some recorders say unknown, or what they make of a cached response.
func (n number) isOdd(limit int64) bool {
	v, ok := n.Get()
	return n.odd || ok && !(math.Abs(v) <= float64(limit))
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
