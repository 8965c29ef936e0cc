package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"linger"
	"linger/compare"
	"linger/finding"
)

// Reuses is what get --at found, and what it was of.
type Reuses struct {
	Linger   string          `json:"linger,omitempty"`
	URL      string          `json:"url"`
	Strategy string          `json:"strategy"`
	Rows     []compare.Reuse `json:"rows"`
}

// Reuse writes how a client fared that asked again after pauses: a line a pause.
func Reuse(w io.Writer, f Reuses, o Options) error {
	b := bufio.NewWriter(w)
	for _, line := range wrap(fmt.Sprintf("%s asked twice, by %s, with a pause between: a connection for each pause", f.URL, f.Strategy), o.width(), "", "") {
		fmt.Fprintln(b, o.paint(line, bold))
	}
	fmt.Fprintln(b)
	wait := column{head: [2]string{"", "pause"}}
	wanted := column{head: [2]string{"wanted", "after"}, spare: 1}
	fate := column{head: [2]string{"", "second request"}, left: true, style: func(row int) style {
		switch f.Rows[row].Fate {
		case compare.Lost, compare.Repeated, compare.Unasked:
			return bold
		}
		return plain
	}}
	took := column{head: [2]string{"answered", "in"}}
	attempts := column{head: [2]string{"", "sent"}, spare: 2}
	closed := column{head: [2]string{"server closed", "after"}}
	ms := func(v linger.Opt[float64]) string { return known(v, finding.Lasting) }
	for _, r := range f.Rows {
		wait.cells = append(wait.cells, r.Wait.String())
		wanted.cells = append(wanted.cells, ms(r.WantedMS))
		fate.cells = append(fate.cells, string(r.Fate))
		took.cells = append(took.cells, ms(r.TookMS))
		attempts.cells = append(attempts.cells, strconv.Itoa(r.Attempts))
		closed.cells = append(closed.cells, ms(r.ClosedMS))
	}
	o.table(b, []column{wait, fate, took, attempts, closed, wanted}, upTo(len(f.Rows)), nil)
	fmt.Fprintln(b)
	said := false
	for _, r := range f.Rows {
		if r.Reason != "" && (r.Fate == compare.Lost || r.Fate == compare.Unasked) {
			for _, line := range wrap(fmt.Sprintf("%s: %s", r.Wait, r.Reason), o.width(), "- ", "  ") {
				fmt.Fprintln(b, line)
			}
			said = true
		}
	}
	if said {
		fmt.Fprintln(b)
	}
	for _, line := range wrap(verdictOnReuse(f.Rows), o.width(), "", "") {
		fmt.Fprintln(b, line)
	}
	return b.Flush()
}

// verdictOnReuse says in a sentence what the rows come to.
func verdictOnReuse(rows []compare.Reuse) string {
	count := map[compare.Fate]int{}
	for _, r := range rows {
		count[r.Fate]++
	}
	switch {
	case count[compare.Lost] > 0:
		return fmt.Sprintf("%d of %d requests were not answered: the connection looked open, and was not.", count[compare.Lost], len(rows))
	case count[compare.Repeated] > 0:
		return fmt.Sprintf("%d of %d requests met a connection that was being closed; the client sent them again, which only what is idempotent permits (RFC 9110, 9.2.2).", count[compare.Repeated], len(rows))
	case count[compare.Unasked] > 0:
		return "Not every pause could be tried."
	}
	return "No request met a connection that was being closed."
}

// ReuseJSON writes the same as JSON.
func ReuseJSON(w io.Writer, f Reuses) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(f)
}
