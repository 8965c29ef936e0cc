package html

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/finding"
	"linger/report"
	"linger/tune"
)

// evil is what someone might send who wants a page to run it.
const evil = `</script><img/src=x/onerror=alert(1)>"'--><b>`

// tuned is what a log of random gaps says: one that tells connections and durations, or one
// of seconds. Its file and its first bad line are of someone who means harm.
func tuned(known bool) *tune.Result {
	c := tune.Config{Resolution: time.Second, Backends: 4}
	if known {
		c = tune.Config{Resolution: time.Millisecond, Durations: true, Backends: 4}
	}
	a := tune.New(c)
	luck := rand.New(rand.NewPCG(1, 2))
	var all []tune.Arrival
	for client := range uint64(50) {
		at, connection := 1.7e9+luck.Float64()*1000, uint64(0)
		for k := range 40 {
			gap := math.Exp(1.8 + 1.7*luck.NormFloat64())
			at += gap
			r := tune.Arrival{Client: client*0x9e3779b97f4a7c15 + 1, Start: linger.Instant(at * 1e9)}
			r.End = r.Start
			if known {
				if k == 0 || gap > 75 {
					connection++
				}
				r.End += 20e6
				r.Connection = client<<32 + connection + 1
			}
			all = append(all, r)
		}
	}
	for _, r := range all {
		a.Add(r)
	}
	r := a.End(tune.Asked{Today: linger.Known(13 * time.Second), RTT: 40 * time.Millisecond})
	r.Log = &tune.Log{Files: []string{evil + ".log"}, Layout: "combined", Clock: "end", Resolution: 1, Lines: 2001, Bad: 1}
	r.Caveats = append(r.Caveats, finding.Caveat{
		Code: tune.CaveatBad, Subject: finding.Subject{Kind: "file", Name: evil},
		Figures: finding.Figures{finding.Number("lines", 1, ""), finding.Number("of", 2001, ""), finding.Word("first", evil+" /a?token=secret")},
	})
	return r
}

func tuningPage(t testing.TB, r *tune.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := Tuning(&b, r, Options{Version: "test", Command: "linger tune " + evil}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// All is there without a script, what the log has is text, and secrets in its lines are left
// out.
func TestTuningPage(t *testing.T) {
	for _, known := range []bool{true, false} {
		page := tuningPage(t, tuned(known))
		t.Logf("%d kB", len(page)/1000)
		if len(page) > 200_000 {
			t.Errorf("%d bytes", len(page))
		}
		if strings.Contains(page, "<img") || strings.Contains(page, "<b>\"") || strings.Count(page, "</script>") != 1 || strings.Contains(page, "secret") {
			t.Error("the page has markup or secrets of others")
		}
		rows := strings.Count(page, `<tr id="timeout-row-`)
		if rows != 25 { // today's is none of the 24
			t.Errorf("%d timeouts", rows)
		}
		if strings.Contains(page, `id="observed"`) != known {
			t.Errorf("connections of the log: %v", !known)
		}
		for _, want := range []string{"keepalive_timeout ", "today: 13 s", `<tr id="gap-13">`, `<tr id="hour-23">`, "<dt>Lines</dt><dd>2001</dd>", "All runs"} {
			if !strings.Contains(page, want) {
				t.Errorf("no %q in the page", want)
			}
		}
	}
}

// There is a page of a log that says nearly nothing, and of a timeout of none or of a day.
func TestTuningPageOfLittle(t *testing.T) {
	for _, today := range []time.Duration{0, 24 * time.Hour} {
		for _, n := range []int{1, 3} {
			a := tune.New(tune.Config{Resolution: time.Second, Backends: 4})
			for i := range n {
				a.Add(tune.Arrival{Client: 1, Start: linger.Instant(i) * 1e9, End: linger.Instant(i) * 1e9})
			}
			page := tuningPage(t, a.End(tune.Asked{Today: linger.Known(today)}))
			if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") || !strings.Contains(page, "There is no advice") || strings.Contains(page, `id="set"`) {
				t.Errorf("%d requests, today %v: %.2000s", n, today, page[strings.Index(page, "<main"):])
			}
		}
	}
}

// Each request that has a gap is in one bin, and those within a timeout are those whose gap
// is shorter.
func TestBinsHoldEveryGap(t *testing.T) {
	r := tuned(true)
	all, sum, within, short := int64(0), int64(0), int64(0), int64(0)
	for i, n := range r.Gaps {
		all += n
		if i < 45 {
			short += n
		}
	}
	for _, b := range r.Bins(45) {
		sum += b.Requests
		within += b.Within
	}
	if all == 0 || all != sum || within != short {
		t.Errorf("%d in bins of %d; %d within, want %d", sum, all, within, short)
	}
}

// Wherever the slider stands, by script or by key, the figures are those of the command line,
// and the cursor stands at the timeout.
func TestBrowserSlidesOverTimeouts(t *testing.T) {
	b := newBrowser(t)
	r := tuned(true)
	file := b.open(t, []byte(tuningPage(t, r)))
	table := report.TuningTimeouts(r, true)
	type shown struct {
		Name   string
		Fields []string
		At     float64
		Hash   string
	}
	all := eval[[]shown](t, b, `[...Array(+document.getElementById('timeout').max + 1).keys()].map(i => {
		const e = document.getElementById('timeout');
		e.value = i;
		e.dispatchEvent(new Event('input', {bubbles: true}));
		return {Name: document.getElementById('timeout-name').textContent, Fields: [...document.querySelectorAll('#timeout-figures dd')].map(d => d.textContent), At: parseFloat(document.querySelector('.cursor').getAttribute('x1')), Hash: location.hash};
	})`)
	if len(all) != len(table.Rows) || len(all) != 25 {
		t.Fatalf("%d places of %d timeouts", len(all), len(table.Rows))
	}
	for i, row := range table.Rows {
		if all[i].Name != row.Cells[0].Text {
			t.Errorf("place %d is %q, not %q", i, all[i].Name, row.Cells[0].Text)
		}
		for k, text := range all[i].Fields {
			if text != row.Cells[k+1].Text {
				t.Errorf("%s: %s is %q, not %q", all[i].Name, table.Columns[k+1].Head, text, row.Cells[k+1].Text)
			}
		}
		seconds, _ := strconv.ParseFloat(strings.TrimSuffix(all[i].Name, " s"), 64)
		if want := float64(logarithmic(seconds)); math.Abs(all[i].At-want) > 0.02 {
			t.Errorf("%s: the cursor stands at %v, not %v", all[i].Name, all[i].At, want)
		}
		if want := "timeout=" + strings.ReplaceAll(all[i].Name, " ", ""); !strings.HasSuffix(all[i].Hash, want) {
			t.Errorf("the address has %s, not %s", all[i].Hash, want)
		}
	}
	eval[any](t, b, `document.querySelector('[data-copies]').click()`)
	missing := eval[int](t, b, `[...document.querySelectorAll('svg [data-r]')].filter(m => !document.getElementById(m.dataset.r)).length`)
	if missing > 0 {
		t.Errorf("%d marks have no row", missing)
	}
	if again := eval[[]string](t, b, `[...document.querySelectorAll('[id]')].map(e => e.id).filter((id, i, all) => all.indexOf(id) !== i)`); len(again) > 0 {
		t.Errorf("names given twice: %v", again)
	}
	b.quiet(t, "tuning", file)
}
