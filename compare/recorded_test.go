package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"linger"
	"linger/internal/textbook"
	"linger/trace"
)

// What was found in an experiment is found again in its file, to the letter.
func TestRecordedFindingsAreTheSame(t *testing.T) {
	failing := textbook.Over("close:6,keep,h2,h3", 5, 0.02)
	failing.Traces[1], failing.Still[2] = failing.Traces[1][:3], nil
	failing.Failures[1] = []string{"not done after 10m0s", "the server said: \"<no>\"\u2028"}
	failing.StillFailures[2] = []string{"refused"}
	failing.Traces[3] = failing.Traces[3][:2]
	failing.Interrupted = true
	for name, in := range map[string]trace.Experiment{
		"http":    textbook.Experiment("close,close:6,keep,keep:2,keep:6,pipeline,h2", 5),
		"https":   textbook.Over("close,keep,h2,h3,h3+0rtt", 3, 0),
		"failing": failing,
		"none":    {Setup: trace.Setup{Workload: textbook.Gallery(), Strategies: textbook.Strategies("keep"), Network: textbook.Network("lte"), Trials: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			var file, again bytes.Buffer
			from := trace.Source{Kind: trace.KindExperiment, Linger: "test", Command: "linger compare 'a b'"}
			if err := trace.WriteExperiment(&file, in, from); err != nil {
				t.Fatal(err)
			}
			size := file.Len()
			out, source, err := trace.ReadExperiment(bytes.NewReader(file.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			want, got := jsonOf(t, Compare(in)), jsonOf(t, Compare(out))
			if want != got {
				t.Errorf("found\n%s\nin the file, and\n%s\nbefore", got, want)
			}
			if source.Linger != "test" || source.Command != from.Command {
				t.Errorf("source %+v", source)
			}
			if err := trace.WriteExperiment(&again, out, source); err != nil {
				t.Fatal(err)
			}
			if _, _, err := trace.ReadExperiment(&again); err != nil {
				t.Error(err)
			}
			t.Logf("%d bytes", size)
		})
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTypicalIsNearestToTheMedian(t *testing.T) {
	in := textbook.Experiment("close,keep", 5)
	f := Compare(in)
	for i, typical := range Typical(in) {
		time, _ := f.Rows[i].Time.Get()
		if typical.Ended.Milliseconds() < time.Median-0.001 || typical.Ended.Milliseconds() > time.Median+0.001 {
			t.Errorf("%s: %v ms; the median of five is one of them: %v", f.Rows[i].Strategy, typical.Ended.Milliseconds(), time.Median)
		}
		whole := 0
		for _, one := range TrialsOf(in)[i] {
			if one.Whole {
				whole++
			}
		}
		if whole != 5 {
			t.Errorf("%s: %d trials", f.Rows[i].Strategy, whole)
		}
	}
	in.Traces[0] = nil
	if Typical(in)[0] != nil {
		t.Error("a typical trial of none")
	}
}

func TestConnectionsHeldOverTime(t *testing.T) {
	at := func(ms int) linger.Instant { return linger.Instant(ms) * 1e6 }
	one := &trace.Trace{Ended: at(100), Connections: []trace.Connection{
		{ID: 0, Dialled: at(0), Closed: linger.Known(at(40))},
		{ID: 1, Dialled: at(40), Closed: linger.Known(at(80))}, // where the first ends
		{ID: 2, Dialled: at(50)},
		{ID: 3, Dialled: at(60), Closed: linger.Known(at(60))}, // a socket of no length
		{ID: 4, Dialled: at(90), Closed: linger.Known(at(300))},
	}}
	held, peak := HeldOverTime(one)
	want := []Held{{at(0), 1}, {at(40), 1}, {at(50), 2}, {at(80), 1}, {at(90), 2}, {at(100), 0}}
	if fmt.Sprint(held) != fmt.Sprint(want) || peak != 2 {
		t.Errorf("%v, peak %d; want %v", held, peak, want)
	}
	if peak != atOnce(one) {
		t.Errorf("the peak is %d here and %d in the table", peak, atOnce(one))
	}
}

// What a page fetched is known from its trace alone.
func TestAFetchIsAnExperimentOfOne(t *testing.T) {
	one := textbook.Experiment("keep", 1).Traces[0][0]
	f := Fetch(Fetched(one, linger.Workload{Name: "http://origin/", Scheme: "http"}, textbook.Strategies("keep")[0]))
	if f.Workload.Exchanges != 41 || f.Workload.Bytes != textbook.Gallery().Bytes() || f.Rows[0].Failed != 0 {
		t.Errorf("%+v, %+v", f.Workload, f.Rows[0])
	}
	for _, d := range f.Caveats {
		if d.Code == Bytes {
			t.Errorf("a caveat: %+v", d)
		}
	}
}
