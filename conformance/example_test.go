package conformance_test

import (
	"fmt"
	"time"

	"linger"
	"linger/assert"
	"linger/conformance"
	"linger/profile"
)

// Facts are what an exchange has shown; they decide the cases that they are about.
func Example() {
	for _, seen := range []conformance.AskedToClose{
		{Closing: conformance.Closing{How: profile.FIN, After: 3 * time.Millisecond}, Repeated: true},
		{Closing: conformance.Closing{Answered: true}},
	} {
		for _, r := range seen.Judge() {
			fmt.Printf("%s (%s): %s: %s\n", r.ID, r.Level, r.Outcome, r.Text)
		}
	}
	// Output:
	// close-honoured (MUST): pass: it closed (FIN) 3ms after the response
	// close-repeated (SHOULD): pass: the response says so, too
	// close-honoured (MUST): fail: the connection stays open after the response, and answers another request
}

// A probe may be about some cases alone.
func ExampleSelect() {
	cases, err := conformance.Select([]string{"tls"}, []string{"tls-tickets-work"})
	for _, c := range cases {
		fmt.Println(c.ID)
	}
	fmt.Println(err)
	// Output:
	// tls-close-notify
	// tls-current
	// tls-alpn-refused
	// <nil>
}

// Assertions name the figures of a profile, and each case by its name.
func ExampleFigures() {
	condition, err := assert.Parse("idle>=60s && close_honoured", conformance.Vocabulary())
	if err != nil {
		fmt.Println(err)
		return
	}
	var doc profile.Profile
	doc.ProtocolNamed(linger.HTTP11).AfterResponse = profile.Timeout{
		State: profile.Measured, Spread: profile.SpreadOf([]time.Duration{75 * time.Second}), Uncertainty: profile.Duration(time.Second),
	}
	doc.Cases = conformance.AskedToClose{Closing: conformance.Closing{Answered: true}}.Judge()
	result := condition.Of(conformance.Figures(&doc))
	fmt.Println(result.Truth)
	fmt.Println(result.Why)
	// Output:
	// does not hold
	// close_honoured is not so: the connection stays open after the response, and answers another request
}
