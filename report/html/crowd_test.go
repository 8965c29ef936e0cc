package html

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"linger/compare/crowd"
	"linger/internal/results"
)

// crowdPage writes a result with its runs.
func crowdPage(w io.Writer, r *crowd.Result, o Options) error {
	return Crowd(w, r, r.Experiment.Runs, o)
}

// A crowd's page has each part that there is something to show for, and says nothing of a user
// unless it is asked to.
func TestCrowdPage(t *testing.T) {
	one, several := []string{"pages", "held", "workers", "time-wait"}, []string{"pages", "held", "workers", "time-wait", "servers"}
	for name, x := range map[string]struct {
		result       *crowd.Result
		o            Options
		parts        []string
		secret, runs bool
	}{
		"one server":   {results.Crowd(), Options{}, one, false, true},
		"servers":      {results.CrowdOfServers(), Options{}, several, false, true},
		"with queries": {results.CrowdOfServers(), Options{Queries: true}, several, true, true},
		"without runs": {results.Crowd(), Options{}, []string{"held", "workers", "time-wait"}, false, false},
		"of nothing":   {&crowd.Result{Experiment: results.Crowd().Experiment}, Options{}, []string{"pages"}, false, false},
	} {
		var b bytes.Buffer
		if !x.runs {
			x.result.Experiment.Runs = nil
		}
		if err := crowdPage(&b, x.result, x.o); err != nil {
			t.Fatal(err)
		}
		if len(x.result.Rows) == 0 {
			continue
		}
		text := b.String()
		for _, part := range several {
			wanted := false
			for _, p := range x.parts {
				wanted = wanted || p == part
			}
			if strings.Contains(text, `<section id="`+part+`">`) != wanted || strings.Contains(text, `<a href="#`+part+`">`) != wanted {
				t.Errorf("%s: the part %s is there: %t", name, part, !wanted)
			}
		}
		if strings.Contains(text, "secret") != x.secret || strings.Contains(text, "user@") != x.secret {
			t.Errorf("%s: it says of the user what it should not, or hides what was asked for", name)
		}
		if strings.Contains(text, "ZgotmplZ") || strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Errorf("%s: something is no number or no text", name)
		}
	}
}
