package conformance

import (
	"slices"
	"strings"
	"testing"

	"linger"
	"linger/profile"
)

func ids(cases []profile.Case) (out []string) {
	for _, c := range cases {
		out = append(out, c.ID)
	}
	return out
}

func TestCasesAreChosenByNameAndProtocol(t *testing.T) {
	t.Parallel()
	all := len(Cases())
	for _, test := range []struct {
		name       string
		only, skip []string
		n          int // of cases; 0 is that it is wrong
		first      string
		wrong      string
	}{
		{"all", nil, nil, all, "close-honoured", ""},
		{"a protocol", []string{"tls"}, nil, 4, "tls-close-notify", ""},
		{"a protocol less a case", []string{"tls"}, []string{"tls-current"}, 3, "tls-close-notify", ""},
		{"two, in the order of all", []string{"tls-current", "close-kept"}, nil, 2, "close-kept", ""},
		{"all but one", nil, []string{"close-honoured"}, all - 1, "close-last", ""},
		{"none is left", []string{"tls"}, []string{"tls"}, 0, "", "no case is left"},
		{"no such case", []string{"close-kpet"}, nil, 0, "", `no case is called "close-kpet"`},
		{"no such case to skip", nil, []string{"http/4"}, 0, "", `no case is called "http/4"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			cases, err := Select(test.only, test.skip)
			if (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
				t.Fatalf("%v, want %q", err, test.wrong)
			}
			if len(cases) != test.n || test.n > 0 && cases[0].ID != test.first {
				t.Errorf("%d cases, the first of %v; want %d, %s", len(cases), ids(cases[:min(len(cases), 1)]), test.n, test.first)
			}
		})
	}
}

// TestAssertedCasesAreDecidedToo, unless they are skipped by name or by protocol.
func TestAssertedCasesAreDecidedToo(t *testing.T) {
	t.Parallel()
	chosen := []profile.Case{CaseByID("tls-current")}
	figures := []string{"idle", "close_kept", "h2_usable"}
	for _, test := range []struct {
		name string
		skip []string
		want []string
	}{
		{"both", nil, []string{"close-kept", "tls-current", "h2-usable"}},
		{"less a case", []string{"close-kept"}, []string{"tls-current", "h2-usable"}},
		{"less a protocol", []string{"h2"}, []string{"close-kept", "tls-current"}},
	} {
		if got := ids(With(chosen, figures, test.skip)); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestWordsThatCompleteAssertions(t *testing.T) {
	t.Parallel()
	words := Words()
	for _, name := range []string{"idle", "idle_h2", "close_kept", "software"} {
		if !slices.Contains(words, name) {
			t.Errorf("%s is not suggested", name)
		}
	}
	if slices.Contains(words, "idle_doq") {
		t.Error("what hardly anybody asks is suggested")
	}
	for _, n := range Names() {
		if strings.Contains(n.Name, "-") || n.Help == "" {
			t.Errorf("%q (%q) cannot be named in an assertion", n.Name, n.Help)
		}
	}
}

func TestWhatIsNotKnownOfCases(t *testing.T) {
	t.Parallel()
	for _, r := range NotMeasured("no answer: 100 %", "close-kept", "close-last") {
		if r.Outcome != profile.NotMeasured || r.Text != "no answer: 100 %" {
			t.Errorf("%s: %s, %q", r.ID, r.Outcome, r.Text)
		}
	}
	offered := NotOffered(linger.H3, "not offered: no HTTP/3")
	if len(offered) == 0 {
		t.Fatal("HTTP/3 has no cases")
	}
	for _, r := range offered {
		if r.Protocol != linger.H3 || r.Outcome != profile.NotMeasured {
			t.Errorf("%s of %s: %s", r.ID, r.Protocol, r.Outcome)
		}
	}
}

func TestOrderOfPipelinedAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		seen Pipelined
		want linger.Opt[bool]
	}{
		{"in order", Pipelined{Sent: 6, Answered: 6}, linger.Known(true)},
		{"out of order", Pipelined{Sent: 6, Answered: 6, Wrong: 3}, linger.Known(false)},
		{"one answer", Pipelined{Sent: 6, Answered: 1}, linger.Opt[bool]{}},
		{"all alike", Pipelined{Sent: 6, Answered: 6, Alike: true}, linger.Opt[bool]{}},
		{"bytes between them", Pipelined{Sent: 6, Answered: 6, Strayed: true}, linger.Opt[bool]{}},
	} {
		if got := test.seen.InOrder(); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// TestSlowAnswerIsTriedAgain: a machine may be late for once, so that a fast answer behind a
// slow one decides nothing by itself.
func TestSlowAnswerIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		seen Reordered
		want bool
	}{
		{"nothing is slow", Reordered{Fast: 10 * milli, Slow: 20 * milli, Noticeable: 20 * milli}, false},
		{"not tried yet", Reordered{Fast: 10 * milli, Slow: 90 * milli, Noticeable: 20 * milli}, true},
		{"the fast one came first", Reordered{Fast: 10 * milli, Slow: 90 * milli, Noticeable: 20 * milli, Tried: true, First: true, Waited: 12 * milli}, false},
		{"it waited", Reordered{Fast: 10 * milli, Slow: 90 * milli, Noticeable: 20 * milli, Tried: true, Waited: 95 * milli}, true},
		{"neither waited", Reordered{Fast: 10 * milli, Slow: 90 * milli, Noticeable: 20 * milli, Tried: true, Waited: 15 * milli}, false},
	} {
		if got := test.seen.Undecided(); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
