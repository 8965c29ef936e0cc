package crowds

import (
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/compare/crowd"
	"linger/finding"
	"linger/internal/results"
	"linger/policy"
	"linger/report/table"
)

func TestClients(t *testing.T) {
	for want, c := range map[string]linger.Crowd{
		"1 client, 3 pages each, no pause between":                                           {Clients: 1, Visits: 3},
		"50 clients at once, 1 page each":                                                    {Clients: 50, Visits: 1, Think: linger.Think{Least: time.Second}},
		"50 clients at once, 2 pages each, 5 s between pages":                                {Clients: 50, Visits: 2, Think: linger.Think{Least: 5 * time.Second}},
		"200 clients, 0.5 a second at random, pages for 60 s, 4 s to 6 s between pages":      {Clients: 200, Arrivals: 0.5, Duration: time.Minute, Think: linger.Think{Least: 4 * time.Second, Most: 6 * time.Second}},
		"9 clients at once, 4 pages each, for 10 s at most, 1.5 s between pages in the mean": {Clients: 9, Visits: 4, Duration: 10 * time.Second, Think: linger.Think{Least: 1500 * time.Millisecond, Random: true}},
	} {
		if got := Clients(c); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

func TestServers(t *testing.T) {
	for want, e := range map[string]crowd.Experiment{
		"server without limits":                                                 {},
		"server with 20 workers, idle timeout 15 s":                             {Capacity: policy.Capacity{Workers: 20}, Server: policy.ServerPolicy{IdleTimeout: 15 * time.Second}},
		"server, restarted after 30 s, with 1 connection at most (others wait)": {Crowd: linger.Crowd{RestartAt: 30 * time.Second}, Capacity: policy.Capacity{MaxConnections: 1}},
		"a server of your own, of unknown limits":                               {Own: true, Server: policy.ServerPolicy{Style: "fin", RequestTimeout: time.Second}},
		"a server of your own with 10 workers":                                  {Own: true, Capacity: policy.Capacity{Workers: 10}},
		"4 servers in turn, without limits":                                     {Crowd: linger.Crowd{Backends: 4, Balance: linger.RoundRobin}},
		"1 server by the client’s address, one more after 30 s, each with 5 ms of 1 core a request": {
			Crowd: linger.Crowd{AddAt: 30 * time.Second, Balance: linger.HashBalance}, Capacity: policy.Capacity{Service: 5 * time.Millisecond}},
	} {
		if got := Servers(&e); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

// Times are all in one unit, with digits for the least of them; what may be longer says so.
func TestTimes(t *testing.T) {
	ms := func(median, worst float64) crowd.Row {
		return crowd.Row{Pages: crowd.Pages{Wanted: 9, Loaded: 9, Quantiles: crowd.Quantiles{Median: linger.Known(median), P95: linger.Known(worst), Worst: linger.Known(worst)}}}
	}
	lost := ms(400, 900)
	lost.Pages.Loaded, lost.Pages.Worst, lost.Pages.AtLeast.Worst = 8, linger.Opt[float64]{}, linger.Known(20_000.0)
	for want, rows := range map[string][]crowd.Row{
		"400 900 / 12 30":        {ms(400, 900), ms(12, 30)},
		"0.40 0.90 / 3.00 14.20": {ms(400, 900), ms(3000, 14_200)},
		"5.0 9.0 / 30.0 140.0":   {ms(5000, 9000), ms(30_000, 140_000)},
		"0.40 ≥20.00":            {lost},
		"- -":                    {{}},
	} {
		r := &crowd.Result{Experiment: results.Crowd().Experiment, Rows: rows}
		first := First(r)
		var got []string
		for _, row := range first.Rows {
			cell := func(head string) string {
				i := slices.IndexFunc(first.Columns, func(c table.Column) bool { return c.Head == head })
				if i < 0 {
					return table.Dash
				}
				return row.Cells[i].Text
			}
			got = append(got, cell("median")+" "+cell("worst"))
		}
		if text := strings.Join(got, " / "); text != want {
			t.Errorf("%q; want %q", text, want)
		}
	}
}

// What stands above columns stays where the first of them is left out.
func TestHeadsStay(t *testing.T) {
	r := results.Crowd()
	for i := range r.Rows {
		r.Rows[i].Waits.Mean, r.Rows[i].Client.CPU = linger.Opt[float64]{}, linger.Opt[float64]{}
	}
	over := map[string]string{}
	for _, c := range All(r)[1].Columns {
		if c.Over != "" {
			over[c.Over] = c.Head
		}
	}
	if over["waits, s"] != "median" || over["CPU, ms"] != "server" {
		t.Errorf("%v", over)
	}
}

// Who is not served comes first, then until when keeping pays.
func TestForemost(t *testing.T) {
	v := crowd.Verdict{}
	for _, code := range []string{crowd.Close, crowd.Law, crowd.AllServed, crowd.BreakEven, crowd.Waiting} {
		v.Findings = append(v.Findings, finding.Finding{Code: code, Subject: finding.Subject{Kind: "strategy", Name: code}})
	}
	got := Foremost(v)
	if len(got) != 4 || !strings.HasPrefix(got[0], crowd.Waiting) || !strings.HasPrefix(got[1], "By Little") || !strings.HasPrefix(got[3], crowd.AllServed) {
		t.Errorf("%q", got)
	}
	if got := Foremost(crowd.Verdict{}); len(got) != 0 {
		t.Errorf("of nothing %q is said", got)
	}
}
