package probe

import (
	"slices"
	"strings"
	"testing"

	"linger/conformance"
)

// Each figure that an experiment measures can be asserted, and is measured where it is.
func TestFiguresAreMeasured(t *testing.T) {
	t.Parallel()
	var names []string
	for _, n := range conformance.Names() {
		names = append(names, n.Name)
	}
	for _, target := range []string{"https://127.0.0.1/", "dns://127.0.0.1"} {
		p, err := newProbe(Config{Target: target})
		if err != nil {
			t.Fatal(err)
		}
		defer p.NoMore()
		for _, e := range p.experiments {
			for _, figure := range e.Figures {
				if base := strings.TrimSuffix(strings.TrimSuffix(figure, "_h2"), "_h3"); !slices.Contains(names, base) {
					t.Errorf("%s: no figure is called %s", e.Name, base)
				}
			}
		}
	}
	limits := []string{"idle after a response", "idle, then asked again", "age of a busy connection", "requests on a connection"}
	for _, test := range []struct {
		target string
		names  []string
		want   []string
	}{
		{"http://127.0.0.1", []string{"close_honoured", "status"}, nil},
		{"http://127.0.0.1", []string{"pipelining"}, []string{"pipelining"}},
		{"http://127.0.0.1", []string{"idle_tcp"}, nil},
		{"https://127.0.0.1", []string{"requests_h2", "idle_h1"}, append(limits, "requests on a connection of HTTP/2")},
		{"https://127.0.0.1", []string{"announced_h3"}, []string{"what HTTP/3 says"}},
		{"dns://127.0.0.1", []string{"announced"}, []string{"idle after an answer, with edns-tcp-keepalive"}},
		{"dot://127.0.0.1", []string{"idle_dot"}, []string{"idle after a response, DNS"}},
	} {
		p, err := newProbe(Config{Target: test.target, Figures: test.names, Cases: conformance.Cases()[:0]})
		if err != nil {
			t.Fatal(err)
		}
		defer p.NoMore()
		var got []string
		for _, e := range p.Prober.Chosen {
			got = append(got, e.Name)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s %v needs %q, want %q", test.target, test.names, got, test.want)
		}
	}
}
