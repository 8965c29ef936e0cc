package formats

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"linger/assert"
	"linger/finding"
	"linger/legible"
)

// A family is a metric of OpenMetrics 1.0 with its samples.
type family struct {
	Metric
	samples []string
	known   map[string]bool // the labels of each
}

// OpenMetrics writes the metrics as gauges. Of targets with the same labels there is
// the first: the same labels twice are not allowed.
func OpenMetrics(w io.Writer, r Report) error {
	var order []*family
	families := map[string]*family{}
	add := func(t Target, m Metric) {
		m.Name = r.snake() + "_" + m.Name
		f := families[m.Name]
		if f == nil {
			f = &family{Metric: m, known: map[string]bool{}}
			families[m.Name], order = f, append(order, f)
		}
		if labels := written(t.Labels, m.Labels); !f.known[labels] {
			f.known[labels] = true
			f.samples = append(f.samples, m.Name+labels+" "+finding.Exact(m.Value))
		}
	}
	seen := map[string]bool{}
	for _, t := range r.Targets {
		labels := written(t.Labels)
		if seen[labels] {
			continue
		}
		seen[labels] = true
		for _, m := range t.Metrics {
			add(t, m)
		}
		for _, a := range t.Asserted {
			add(t, Metric{Name: "assertion_holds", Help: "Whether an assertion holds; what is not known is 0 too.", Value: bit(a.Truth == assert.Holds), Labels: []Label{{"assertion", a.Text}}})
		}
	}
	b := bufio.NewWriter(w)
	for _, f := range order {
		fmt.Fprintf(b, "# TYPE %s gauge\n", f.Name)
		if f.Unit != "" {
			fmt.Fprintf(b, "# UNIT %s %s\n", f.Name, f.Unit)
		}
		fmt.Fprintf(b, "# HELP %s %s\n", f.Name, f.Help)
		for _, line := range f.samples {
			b.WriteString(line + "\n")
		}
	}
	b.WriteString("# EOF\n")
	return b.Flush()
}

// written is labels in braces.
func written(lists ...[]Label) string {
	var pairs []string
	for _, l := range slices.Concat(lists...) {
		pairs = append(pairs, l.Name+`="`+labelEscapes.Replace(legible.Text(l.Value))+`"`)
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// bit is 1 of what is so.
func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
