package testall

import (
	"bytes"
	"math/rand/v2"
	"slices"
)

// MutateJSON returns a copy of a document with one to most places changed: bytes, numbers,
// cuts, repetitions.
func MutateJSON(rng *rand.Rand, most int, b []byte) []byte {
	b = slices.Clone(b)
	for range 1 + rng.IntN(most) {
		at := rng.IntN(len(b))
		end := min(len(b), at+1+rng.IntN(200))
		switch rng.IntN(7) {
		case 0:
			b[at] = byte(rng.Uint32())
		case 1:
			b = slices.Delete(b, at, end)
		case 2:
			b = slices.Insert(b, end, b[at:end]...)
		case 3:
			b = b[:max(1, at)]
		default: // another number for the next one
			if i := bytes.IndexAny(b[at:], "0123456789"); i >= 0 {
				odd := []string{"-1", "1e99", "null", `"x"`, "4294967297", "0", "[]", "77"}
				b = slices.Replace(b, at+i, at+i+1, []byte(odd[rng.IntN(len(odd))])...)
			}
		}
	}
	return b
}
