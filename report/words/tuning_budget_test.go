package words

import (
	"testing"

	"linger/finding"
	"linger/tune"
)

func TestBudgetIsSaid(t *testing.T) {
	f := finding.Finding{Code: tune.FoundBudget, Figures: finding.Figures{
		finding.Number("budget", 12, ""), finding.Number("timeout", 75000, "ms"), finding.Number("reuse", 0.9, "share").Whose("unlimited"),
		finding.Number("refused", 457, "").Whose("refusing"), finding.Number("refused_share", 0.04, "share").Whose("refusing"), finding.Number("reuse", 0.8, "share").Whose("refusing"),
		finding.Number("closed_early", 30, "").Whose("closing"), finding.Number("reuse", 0.88, "share").Whose("closing"), finding.Number("refused", 0, "").Whose("closing"),
	}}
	want := "With room for 12 connections and an idle timeout of 75 s, a server that refuses new ones when it is full turns away 457 requests (4 %) and reuses 80 %; one that closes the idle ones that were used least recently closes 30 early, none is refused, and it reuses 88 %. Without a limit, 90 % are reused."
	if got := TuningFinding(f); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
