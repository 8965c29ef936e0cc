package compare

import (
	"bytes"
	"encoding/json"
	"testing"

	"linger"
	"linger/internal/textbook"
	"linger/trace"
)

// What was found in an experiment is found again in its file, to the letter.
func TestRecordedFindingsAreTheSame(t *testing.T) {
	failing := textbook.Over("close:6,keep,h2,h3", 5, 0.02)
	failing.Traces[1], failing.ZeroRTT[2] = failing.Traces[1][:3], nil
	failing.Failures[1] = []string{"not done after 10m0s", "the server said: \"<no>\"\u2028"}
	failing.ZeroRTTFailures[2] = []string{"refused"}
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
