package docs

import (
	"strings"
	"testing"
)

func TestNotModelledIsTheListOfTheDocument(t *testing.T) {
	_, text, _ := strings.Cut(simulator, "\n## What is not modelled\n")
	text, _, _ = strings.Cut(text, "\n## ")
	limits := NotModelled()
	if want := strings.Count(text, "\n- "); len(limits) != want || want < 5 {
		t.Fatalf("%d limits, and the document has %d points", len(limits), want)
	}
	for _, l := range limits {
		if l.What == "" || strings.ContainsAny(l.What+l.Text, "`[]*") {
			t.Errorf("%q: %q", l.What, l.Text)
		}
	}
}
