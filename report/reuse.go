package report

import (
	"fmt"
	"time"

	"linger/compare"
	"linger/finding"
	"linger/report/table"
)

// Reuses is what get --at found, and what it was of.
type Reuses struct {
	Linger   string          `json:"linger,omitempty"`
	URL      string          `json:"url"`
	Strategy string          `json:"strategy"`
	Rows     []compare.Reuse `json:"rows"`
}

// Pauses has a row for each pause.
func Pauses(f Reuses) table.Table {
	t := table.Table{Columns: []table.Column{
		{Head: "pause"}, {Head: "second request", Align: table.Left}, {Head: "answered in"}, {Head: "sent", Spare: 2},
		{Head: "server closed after"}, {Head: "wanted after", Spare: 1},
	}}
	for _, r := range f.Rows {
		fate := table.Word(string(r.Fate))
		if r.Fate == compare.Repeated {
			fate = table.Word("lost, retried")
		}
		switch r.Fate {
		case compare.Lost, compare.Repeated, compare.Unasked, compare.Unsent, compare.LetGo:
			fate.Style = table.Strong
		}
		t.Add(table.Word(Pause(r.Wait)), fate, table.Known(r.TookMS, finding.Lasting), table.Int(r.Attempts), table.Known(r.ClosedMS, finding.Lasting), table.Known(r.WantedMS, finding.Lasting))
	}
	return t
}

// Pause writes how long a pause was.
func Pause(d time.Duration) string { return finding.Lasting(float64(d) / 1e6) }

// ReuseVerdict says in a sentence what the rows come to.
func ReuseVerdict(rows []compare.Reuse) string {
	count := map[compare.Fate]int{}
	for _, r := range rows {
		count[r.Fate]++
	}
	sent := len(rows) - count[compare.Unasked] - count[compare.Unsent] // what was never sent is no request
	switch {
	case count[compare.Lost] > 0:
		return fmt.Sprintf("%d of %d requests were not answered: the connection looked open, and was not.", count[compare.Lost], sent)
	case count[compare.Repeated] > 0:
		return fmt.Sprintf("%d of %d requests met a connection that was being closed; the client retried them, which only idempotent requests permit (RFC 9110, 9.2.2).", count[compare.Repeated], sent)
	case count[compare.LetGo] > 0:
		return fmt.Sprintf("%d of %d requests took a new connection: bytes that no request had asked for followed the first response.", count[compare.LetGo], sent)
	case count[compare.Unsent] > 0:
		return fmt.Sprintf("%d of %d requests could not be sent: there was no connection for them.", count[compare.Unsent], sent+count[compare.Unsent])
	case count[compare.Unasked] > 0:
		return "Not every pause could be tried."
	}
	return "No request met a connection that was being closed."
}
