package probe

import (
	"slices"
	"testing"

	"linger/conformance"
)

// Each figure that can be asserted is measured by experiments that there are, or by none.
func TestNeedsNameExperiments(t *testing.T) {
	var names []string
	for _, n := range conformance.Names() {
		names = append(names, n.Name)
	}
	for figure, list := range needs {
		if !slices.Contains(names, figure[1]) {
			t.Errorf("no figure is called %s", figure[1])
		}
		for _, name := range list {
			if !slices.ContainsFunc(experiments(), func(e experiment) bool { return e.name == name }) {
				t.Errorf("%v needs %q, which is no experiment", figure, name)
			}
		}
	}
	for _, test := range []struct {
		scheme string
		names  []string
		want   []string
	}{
		{"http", []string{"close_honoured", "status"}, nil},
		{"http", []string{"pipelining"}, []string{"pipelining"}},
		{"https", []string{"requests_h2", "idle_h1"}, append(slices.Sorted(slices.Values(limitsOfHTTP1)), "requests on a connection of HTTP/2")},
		{"dns", []string{"announced"}, []string{"idle after an answer, with edns-tcp-keepalive"}},
		{"dot", []string{"idle_dot"}, []string{idleAfterResponseName + ", DNS"}},
	} {
		if got := needsOf(test.scheme, test.names); !slices.Equal(got, test.want) {
			t.Errorf("%s %v needs %q, want %q", test.scheme, test.names, got, test.want)
		}
	}
}
