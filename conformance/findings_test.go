package conformance

import (
	"slices"
	"testing"

	"linger"
	"linger/assert"
	"linger/finding"
	"linger/profile"
)

// What was found of a server is data: each case with its severity and what shows it, what
// is announced and not so, and what was asserted.
func TestFindingsOfAServer(t *testing.T) {
	p := sample()
	p.Target = "https://example.org/"
	p.Protocols[0].Announced.Timeout = linger.Known(70 * s)
	for _, text := range []string{"idle>=10s", "idle>=90s", "age>=1s"} {
		a, err := assert.Parse(text, Vocabulary())
		if err != nil {
			t.Fatal(err)
		}
		p.Asserted = append(p.Asserted, a.Of(Figures(p)))
	}
	type row struct {
		code, subject, cause string
		severity             finding.Severity
	}
	var got []row
	for _, f := range Findings(p) {
		got = append(got, row{f.Code, f.Subject.Name, f.Cause, f.Severity})
	}
	want := []row{
		{"close-honoured", "close-honoured", "", finding.Pass}, {"pipeline-order", "pipeline-order", "", finding.Error}, {"idle-no-race", "idle-no-race", "", finding.Unknown},
		{Differs, "http/1.1", "", finding.Note},
		{assert.Code, "idle>=10s", "", finding.Pass}, {assert.Code, "idle>=90s", assert.CauseBroken, finding.Error}, {assert.Code, "age>=1s", assert.CauseNotKnown, finding.Error},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	broken := Findings(p)[1]
	if len(broken.Evidence) != 2 || broken.Evidence[0].Text != "answer 3 came first" || broken.Evidence[1].Text != "linger serve --misbehave out-of-order" || broken.Subject.Of != "http/1.1" {
		t.Errorf("%+v", broken)
	}
	if f := Findings(p)[3]; f.Figures.Value("announced").Or(0) != 70_000 || f.Figures.Value("limit").Or(0) != 59_998 {
		t.Errorf("%+v", f.Figures)
	}
}

func TestAWarningThatCountsIsAnError(t *testing.T) {
	p := &profile.Profile{Cases: []profile.Result{{Case: CaseByID("timeout-honoured"), Outcome: profile.Warn}, {Case: CaseByID("idle-long-enough"), Outcome: profile.Warn}}}
	p.Strict()
	if f := Findings(p); f[0].Severity != finding.Error || f[1].Severity != finding.Warning {
		t.Errorf("%+v", f)
	}
}
