package difference

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"linger"
	"linger/compare"
	"linger/compare/times"
	"linger/internal/textbook"
	"linger/trace"
)

// with returns findings of one row with that time and interval, in ms.
func with(median, low, high float64) compare.Findings {
	t := times.Time{Median: median}
	if low > 0 {
		t.Low, t.High, t.Confidence = linger.Known(low), linger.Known(high), linger.Known(0.9375)
	}
	return compare.Findings{Provenance: trace.Measured, Engine: "lab", Trials: 5, Rows: []compare.Row{{Strategy: "keep", Persistent: true, Trials: 5, Time: linger.Known(t)}}}
}

func TestADifferenceNeedsIntervalsThatAreApart(t *testing.T) {
	for _, test := range []struct {
		name          string
		before, after compare.Findings
		differs       string
		code          string
	}{
		{"apart", with(1000, 980, 1020), with(500, 490, 510), "true", TimeChanged},
		{"apart, slower", with(500, 490, 510), with(1000, 980, 1020), "true", TimeChanged},
		{"touching", with(1000, 980, 1020), with(1040, 1020, 1060), "false", TimeSteady},
		{"no interval", with(1000, 980, 1020), with(500, 0, 0), "null", TimeUntold},
	} {
		d := Of(test.before, test.after)
		got, _ := json.Marshal(d.Rows[0].Differs)
		if string(got) != test.differs || len(d.Findings) != 1 || d.Findings[0].Code != test.code || len(d.Caveats) > 0 {
			t.Errorf("%s: differs %s, %v, caveats %v; want %s, %s", test.name, got, d.Findings, d.Caveats, test.differs, test.code)
		}
	}
	// What is predicted has no luck in it.
	a, b := with(1000, 0, 0), with(999, 0, 0)
	a.Provenance, b.Provenance = trace.Predicted, trace.Predicted
	if d := Of(a, b); !d.Rows[0].Differs.Or(false) {
		t.Errorf("predicted: %+v", d)
	}
}

func TestADifferenceDoubtsWhatIsNotTheSame(t *testing.T) {
	base := compare.Compare(textbook.Experiment("close,keep", 5))
	for name, test := range map[string]struct {
		change func(*compare.Findings)
		code   string
	}{
		"nothing":  {func(*compare.Findings) {}, ""},
		"engine":   {func(f *compare.Findings) { f.Engine, f.Provenance = "sim", trace.Predicted }, OtherEngine},
		"workload": {func(f *compare.Findings) { f.Workload.Bytes++ }, OtherScenario},
		"network":  {func(f *compare.Findings) { f.Network.RTT = linger.Known(71.0) }, OtherScenario},
		"seed":     {func(f *compare.Findings) { f.Seed++ }, OtherScenario},
		"trials":   {func(f *compare.Findings) { f.Trials++ }, OtherTrials},
	} {
		after := base
		test.change(&after)
		var codes []string
		for _, d := range Of(base, after).Caveats {
			codes = append(codes, d.Code)
		}
		if got := strings.Join(codes, " "); got != test.code {
			t.Errorf("%s: caveats %q; want %q", name, got, test.code)
		}
	}
}

func TestADifferenceListsEachRowAndFigure(t *testing.T) {
	before, after := compare.Compare(textbook.Experiment("close,keep", 5)), compare.Compare(textbook.Experiment("keep,h2", 5))
	after.Rows[0].Connections = linger.Known(2.0)
	d := Of(before, after)
	var names []string
	for _, r := range d.Rows {
		names = append(names, r.Strategy)
	}
	if !slices.Equal(names, []string{"keep", "h2", "close"}) || !d.Rows[1].New || !d.Rows[2].Gone {
		t.Errorf("%+v", d.Rows)
	}
	if want := []FigureChange{{Name: "connections", Before: linger.Known(1.0), After: linger.Known(2.0), Differs: linger.Known(false), P: linger.Known(1.0)}}; !slices.Equal(d.Rows[0].Figures, want) {
		t.Errorf("%+v; want %+v", d.Rows[0].Figures, want)
	}
}

// FuzzSavedResult: whatever a saved result says, it is refused, or compared with
// another without harm.
func FuzzSavedResult(f *testing.F) {
	good, err := json.Marshal(compare.Compare(textbook.Experiment("close,keep", 3)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"rows":[{"strategy":"keep","time_ms":{"median":1e300}}]}`))
	f.Add([]byte(`{"rows":[{"strategy":"keep","time_ms":{"median":0,"low":0,"high":0,"confidence":7}}]}`))
	other := compare.Compare(textbook.Experiment("close,keep", 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		var saved compare.Findings
		if json.Unmarshal(b, &saved) != nil || saved.Check() != nil {
			return
		}
		for _, d := range []Change{Of(saved, other), Of(other, saved)} {
			if _, err := json.Marshal(d); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A result of the version before, which had sentences and no findings, is read, and
// compared with what the same experiment gives now.
func TestResultsOfTheVersionBeforeAreRead(t *testing.T) {
	b, err := os.ReadFile("../testdata/before/doubtful.json")
	if err != nil {
		t.Fatal(err)
	}
	before, err := compare.Read(slices.Concat([]byte(`{"linger": "1",`), bytes.TrimPrefix(b, []byte("{"))))
	if err != nil {
		t.Fatal(err)
	}
	now := compare.Compare(textbook.Examples["doubtful"]())
	if len(before.Caveats) == 0 || before.Caveats[0].Code != compare.Failed {
		t.Errorf("%v", before.Caveats)
	}
	if d := Of(before, now); len(d.Caveats) > 0 || len(d.Rows) != len(now.Rows) {
		t.Errorf("%+v", d)
	}
	for i, r := range now.Rows {
		if r.Failed > 0 {
			continue // in those it was the median of the trials that came through
		}
		var none linger.Opt[float64]
		r.Request = linger.Opt[compare.Spread]{}
		r.Samples, r.Reuse, r.TripsUncertainty, r.DroppedQueue, r.DroppedLoss, r.Stalls, r.Stalled = compare.Samples{}, none, none, none, none, none, none // which there was not
		if !reflect.DeepEqual(before.Rows[i], r) {
			t.Errorf("%+v; want %+v", before.Rows[i], r)
		}
	}
}
