package html

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"linger"
	"linger/compare/facts"
	"linger/report/trial"
)

// Each message is an arrow and a row of data; what is left out of many is said, with the way
// to all of it.
func TestEachMessageIsDrawn(t *testing.T) {
	for _, objects := range []int{40, 700} {
		in := experiment(t, "close:6,h2", objects, func(i int) string { return fmt.Sprintf("https://origin/%d.jpg", i) })
		page := render(t, in, Options{})
		for i, tr := range facts.Typical(in) {
			l, ok := trial.LadderOf(in.Strategies[i].Name, tr, 1, linger.Opt[float64]{})
			if !ok {
				t.Fatal("nothing was sent")
			}
			drawn, rows := 0, bytes.Count(page, fmt.Appendf(nil, `<tr id="s%d-`, i))
			for _, part := range bytes.Split(page, []byte(`<path class="arrow `))[1:] {
				if _, after, _ := bytes.Cut(part, []byte(`" data-r="`)); bytes.HasPrefix(after, fmt.Appendf(nil, "s%d-", i)) {
					drawn++
				}
			}
			want := min(len(l.Messages), mostDrawn)
			if drawn != want || rows != want {
				t.Errorf("%s of %d objects: %d arrows and %d rows of %d messages", l.Strategy, objects, drawn, rows, len(l.Messages))
			}
			said := fmt.Sprintf("%s of %d not drawn", linger.Plural(len(l.Messages)-want, "message"), len(l.Messages))
			if strings.Contains(string(page), said) != (want < len(l.Messages)) {
				t.Errorf("%s of %d objects: %q is said: %t", l.Strategy, objects, said, want >= len(l.Messages))
			}
		}
	}
}
