package trial

import (
	"fmt"
	"slices"
	"time"

	"linger/compare/facts"
	"linger/finding"
	"linger/report/table"
	"linger/trace"
)

// Reuses is what get --at found, and what it was of.
type Reuses struct {
	Linger   string        `json:"linger,omitempty"`
	URL      string        `json:"url"`
	Strategy string        `json:"strategy"`
	Rows     []facts.Reuse `json:"rows"`
}

// Set notes what was found of a pause, the i-th: a trace, or why there is none.
func (f *Reuses) Set(i int, pause time.Duration, t *trace.Trace, err error) {
	if err == nil {
		f.Rows[i], err = facts.ReuseOf(t, pause)
	}
	if err != nil {
		f.Rows[i] = facts.Reuse{Wait: pause, WaitMS: float64(pause) / 1e6, Outcome: facts.Unasked, Reason: err.Error()}
	}
}

// Short reports whether a second request was not answered, whether or not it was sent.
func (f Reuses) Short() bool {
	return slices.ContainsFunc(f.Rows, func(r facts.Reuse) bool {
		return r.Outcome == facts.Lost || r.Outcome == facts.Unasked || r.Outcome == facts.Unsent
	})
}

// Pauses has a row for each pause.
func Pauses(f Reuses) table.Table {
	t := table.Table{Columns: []table.Column{
		{Head: "pause"}, {Head: "second request", Align: table.Left}, {Head: "answered in"}, {Head: "sent", Spare: 2},
		{Head: "server closed after"}, {Head: "wanted after", Spare: 1},
	}}
	for _, r := range f.Rows {
		outcome := table.Word(string(r.Outcome))
		switch r.Outcome {
		case facts.Lost, facts.Repeated, facts.Unasked, facts.Unsent, facts.LetGo:
			outcome.Style = table.Strong
		}
		t.Add(table.Word(Pause(r.Wait)), outcome, table.Known(r.TookMS, finding.Lasting), table.Int(r.Attempts), table.Known(r.ClosedMS, finding.Lasting), table.Known(r.WantedMS, finding.Lasting))
	}
	return t
}

// Pause writes how long a pause was.
func Pause(d time.Duration) string { return finding.Lasting(float64(d) / 1e6) }

// ReuseVerdict says in a sentence what the rows come to.
func ReuseVerdict(rows []facts.Reuse) string {
	count := map[facts.Outcome]int{}
	for _, r := range rows {
		count[r.Outcome]++
	}
	sent := len(rows) - count[facts.Unasked] - count[facts.Unsent] // what was never sent is no request
	switch {
	case count[facts.Lost] > 0:
		return fmt.Sprintf("%d of %d requests were not answered: the connection looked open, and was not.", count[facts.Lost], sent)
	case count[facts.Repeated] > 0:
		return fmt.Sprintf("%d of %d requests met a connection that was being closed; the client retried them, which only idempotent requests permit (RFC 9110, 9.2.2).", count[facts.Repeated], sent)
	case count[facts.LetGo] > 0:
		return fmt.Sprintf("%d of %d requests took a new connection: bytes that no request had asked for followed the first response.", count[facts.LetGo], sent)
	case count[facts.Unsent] > 0:
		return fmt.Sprintf("%d of %d requests could not be sent: there was no connection for them.", count[facts.Unsent], sent+count[facts.Unsent])
	case count[facts.Unasked] > 0:
		return "Not every pause could be tried."
	}
	return "No request met a connection that was being closed."
}
