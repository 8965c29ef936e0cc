package profile

import (
	"fmt"
	"slices"
	"strings"

	"linger/assert"
)

// A Shortfall is what some probes came to that is not as it should be.
type Shortfall struct {
	Fails    int // cases that fail
	Broken   int // assertions that do not hold, or are not known
	Missing  int // lines that could not be probed
	Asserted []assert.Result
}

// ShortfallOf counts over all of them.
func ShortfallOf(list []Probed) (s Shortfall) {
	for _, p := range list {
		if p.Profile == nil {
			s.Missing++
			continue
		}
		s.Fails += p.Profile.Outcomes()[Fail]
		s.Asserted = append(s.Asserted, p.Profile.Asserted...)
	}
	s.Broken = len(slices.DeleteFunc(slices.Clone(s.Asserted), func(r assert.Result) bool { return r.Truth == assert.Holds }))
	return s
}

// String lists what there is of it: "1 case fails, 2 lines could not be probed".
func (s Shortfall) String() string {
	var words []string
	for _, part := range []struct {
		n            int
		one, several string
	}{
		{s.Fails, "case fails", "cases fail"},
		{s.Broken, "assertion does not hold", "assertions do not hold"},
		{s.Missing, "line could not be probed", "lines could not be probed"},
	} {
		switch {
		case part.n == 1:
			words = append(words, "1 "+part.one)
		case part.n > 1:
			words = append(words, fmt.Sprintf("%d %s", part.n, part.several))
		}
	}
	return strings.Join(words, ", ")
}
