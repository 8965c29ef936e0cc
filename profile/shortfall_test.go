package profile

import (
	"slices"
	"testing"

	"linger"
	"linger/assert"
)

func TestShortfall(t *testing.T) {
	failing := &Profile{Cases: []Result{{Outcome: Fail}, {Outcome: Pass}}}
	asserting := &Profile{Asserted: []assert.Result{{Truth: assert.Holds}, {Truth: assert.Broken}}}
	for _, test := range []struct {
		list []Probed
		want string
	}{
		{nil, ""},
		{[]Probed{{Profile: failing}}, "1 case fails"},
		{[]Probed{{Profile: failing}, {Profile: failing}, {}}, "2 cases fail, 1 line could not be probed"},
		{[]Probed{{Profile: asserting}, {}, {}}, "1 assertion does not hold, 2 lines could not be probed"},
	} {
		if got := ShortfallOf(test.list).String(); got != test.want {
			t.Errorf("%d probes: %q, want %q", len(test.list), got, test.want)
		}
	}
}

// TestOrderOfProtocols: it is the same whichever was asked first.
func TestOrderOfProtocols(t *testing.T) {
	var p Profile
	for _, name := range []linger.Protocol{linger.H3, "gopher", linger.HTTP11, linger.DNSOverTLS, linger.H2, linger.H3} {
		p.ProtocolNamed(name)
	}
	want := []linger.Protocol{linger.HTTP11, linger.H2, linger.H3, linger.DNSOverTLS, "gopher"}
	var got []linger.Protocol
	for _, one := range p.Protocols {
		got = append(got, one.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
