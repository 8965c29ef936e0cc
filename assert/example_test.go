package assert_test

import (
	"fmt"
	"strings"

	"linger/assert"
)

// A server is what was measured of a server.
type server struct {
	idle     float64 // seconds; 0 where nobody knows
	requests int
	closes   bool
}

// The table is all that an assertion about a server can name.
var table = []assert.Figure[server]{
	assert.On("idle", assert.Time, "idle limit", func(s server) assert.Value {
		if s.idle == 0 {
			return assert.Unknown("waiting ended before")
		}
		return assert.Between(s.idle-0.1, s.idle+0.1)
	}),
	assert.On("requests", assert.Number, "requests on one connection", func(s server) assert.Value { return assert.Exactly(float64(s.requests)) }),
	assert.On("close_honoured", assert.YesNo, "closes when asked to", func(s server) assert.Value { return assert.Is(s.closes) }),
}

func Example() {
	vocabulary := assert.Vocabulary{Names: assert.NamesOf(table), Listed: "docs/assert.md lists the names"}
	condition, err := assert.Parse("idle>=60s && close_honoured", vocabulary)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range []server{{idle: 75, closes: true}, {idle: 5, closes: true}, {closes: true}, {closes: false}} {
		result := condition.Of(assert.InTable(table, s))
		fmt.Println(strings.TrimSpace(string(result.Truth) + "; " + result.Why))
	}
	// Output:
	// holds;
	// does not hold; idle is 4.9 s to 5.1 s
	// not known; idle is not known: waiting ended before
	// does not hold; close_honoured is not so
}

// What is wrong with a condition is said before anything is measured.
func ExampleParse() {
	_, err := assert.Parse("idel>=60s", assert.Vocabulary{Names: assert.NamesOf(table), Listed: "docs/assert.md lists the names"})
	fmt.Println(err)
	// Output: "idel>=60s", column 1: nothing is called idel; did you mean idle? docs/assert.md lists the names
}
