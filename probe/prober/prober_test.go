package prober

import (
	"context"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"linger/conformance"
	"linger/profile"
)

// begun is a probe of a target that nobody asks.
func begun(t *testing.T, change func(*Terms)) *Prober {
	t.Helper()
	u, err := url.Parse("http://127.0.0.1:8080/page?x=1")
	if err != nil {
		t.Fatal(err)
	}
	terms := Terms{URL: u, Name: u.String(), Connections: 20, Requests: 10, Answer: time.Second, MaxWait: time.Minute}
	if change != nil {
		change(&terms)
	}
	p := New(terms)
	t.Cleanup(p.NoMore)
	return p
}

// TestSlotsAreGrantedInTheOrderOfAsking: who wants many is not passed by who wants few, and
// who gives up is in nobody's way.
func TestSlotsAreGrantedInTheOrderOfAsking(t *testing.T) {
	t.Parallel()
	s := NewSlots(3)
	ctx, giveUp := context.WithCancel(t.Context())
	if !s.Take(ctx, 2) {
		t.Fatal("two of three are not granted")
	}
	many, few := make(chan bool, 1), make(chan bool, 1)
	queued := func(n int) {
		for {
			s.mu.Lock()
			waiting := len(s.waiting)
			s.mu.Unlock()
			if waiting == n {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	go func() { many <- s.Take(ctx, 3) }()
	queued(1)
	go func() { few <- s.Take(t.Context(), 1) }()
	queued(2)
	if s.Spare() {
		t.Error("a slot is spare while others wait")
	}
	giveUp()
	if <-many {
		t.Error("who gave up was granted three")
	}
	if !<-few {
		t.Error("who wanted one was not granted it")
	}
	s.Give(3)
	for range 3 {
		if !s.Spare() {
			t.Error("a slot was lost")
		}
	}
	if s.Spare() {
		t.Error("there is one slot too many")
	}
}

func TestExperimentsOfAServerThatServesFewAtOnce(t *testing.T) {
	t.Parallel()
	all := []Experiment{
		{Name: "waits", Connections: 6, Waits: true},
		{Name: "leads", Connections: 4, Waits: true, Leads: true},
		{Name: "busy", Connections: 2},
		{Name: "over UDP", Connections: 5, Waits: true, OverUDP: true},
	}
	for _, test := range []struct {
		name         string
		most, enough int
		order        []string
		shares       []int // of all, in their order above
	}{
		{"it serves enough", 20, 20, []string{"waits", "leads", "busy", "over UDP"}, []int{6, 4, 2, 5}},
		{"it serves nine", 9, 20, []string{"leads", "busy", "waits", "over UDP"}, []int{3, 3, 1, 5}},
		{"it serves two", 2, 20, []string{"leads", "busy", "waits", "over UDP"}, []int{1, 1, 1, 5}},
		{"it serves one", 1, 20, []string{"busy", "leads", "waits", "over UDP"}, []int{1, 1, 1, 5}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := begun(t, nil)
			p.Most, p.Enough = test.most, test.enough
			var order []string
			for _, e := range p.InTurn(all) {
				order = append(order, e.Name)
			}
			if !slices.Equal(order, test.order) {
				t.Errorf("the order is %q, want %q", order, test.order)
			}
			for i, e := range all {
				if n := p.ShareOf(e); n != test.shares[i] {
					t.Errorf("%s: %d connections, want %d", e.Name, n, test.shares[i])
				}
			}
		})
	}
}

func TestWhatIsSpentStaysWithinBounds(t *testing.T) {
	t.Parallel()
	p := begun(t, nil)
	if err := p.Spend(8); err != nil {
		t.Error(err)
	}
	if err := p.Spend(3); err != ErrSpent {
		t.Errorf("three more than ten: %v", err)
	}
	if err := p.Spend(2); err != nil {
		t.Errorf("what was not spent is lost: %v", err)
	}
	p.refusals.alone = "the server answered 429"
	if err := p.Spend(0); err == nil || err.Error() != p.refusals.alone {
		t.Errorf("a server that is to be left alone is asked: %v", err)
	}
}

// TestCasesThatNobodyDecided keep the first word, and say why there is none.
func TestCasesThatNobodyDecided(t *testing.T) {
	t.Parallel()
	cases := []profile.Case{conformance.CaseByID("close-kept"), conformance.CaseByID("idle-answered")}
	for _, test := range []struct {
		name    string
		change  func(*Prober)
		outcome profile.Outcome
		why     string // of the one that nobody decided
	}{
		{"no occasion", func(*Prober) {}, profile.Pass, "no occasion"},
		{"interrupted", func(p *Prober) { p.Record(func(doc *profile.Profile) { doc.Interrupted = true }) }, profile.Pass, "ended before"},
		{"refused since", func(p *Prober) { p.refusals.alone = "it answered 429" }, profile.Pass, "it answered 429"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := begun(t, nil)
			p.Decide([]profile.Result{{Case: cases[0], Outcome: profile.Pass}})
			p.Decide([]profile.Result{{Case: cases[0], Outcome: profile.Fail}})
			test.change(p)
			doc := p.Conclude(cases)
			if len(doc.Cases) != 2 || doc.Cases[0].Outcome != test.outcome {
				t.Fatalf("the cases are %+v", doc.Cases)
			}
			if r := doc.Cases[1]; r.Outcome != profile.NotMeasured || !strings.Contains(r.Text, test.why) {
				t.Errorf("nobody decided %s: %s, %q; want %q", r.ID, r.Outcome, r.Text, test.why)
			}
		})
	}
}

// TestWhatIsSaidWhileRefusedIsUndecided: a server that limits what it is asked may not answer
// as it would.
func TestWhatIsSaidWhileRefusedIsUndecided(t *testing.T) {
	t.Parallel()
	p := begun(t, nil)
	p.refusals.alone = "it answered 429"
	p.Decide([]profile.Result{{Case: conformance.CaseByID("close-kept"), Outcome: profile.Fail, Text: "it stays open"}})
	if r := p.ResultOf("close-kept"); r.Outcome != profile.NotMeasured || r.Text != "it answered 429" {
		t.Errorf("it is %s: %s", r.Outcome, r.Text)
	}
}

// TestWaitsEndOnceALimitIsKnown: others have as long again, five seconds at least, unless
// each limit is waited for.
func TestWaitsEndOnceALimitIsKnown(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		patient bool
		limits  []time.Duration
		most    time.Duration
	}{
		{"none is known", false, nil, Watched(time.Minute)},
		{"a short one", false, []time.Duration{time.Second}, 5 * time.Second},
		{"a long one", false, []time.Duration{20 * time.Second}, 20 * time.Second},
		{"the first counts", false, []time.Duration{20 * time.Second, time.Second}, 20 * time.Second},
		{"longer than any wait", false, []time.Duration{time.Hour}, Watched(time.Minute)},
		{"patient", true, []time.Duration{time.Second}, Watched(time.Minute)},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := begun(t, func(terms *Terms) { terms.Patient = test.patient })
			for _, limit := range test.limits {
				p.Settled(limit)
			}
			began := time.Now()
			ctx, cancel := p.Wait(t.Context())
			defer cancel()
			due, ok := ctx.Deadline()
			if wait := due.Sub(began); !ok || wait > test.most+time.Second || wait < test.most-time.Millisecond {
				t.Errorf("a wait lasts %v, want %v", wait, test.most)
			}
		})
	}
}

func TestHeadOfRequestsOnStreams(t *testing.T) {
	t.Parallel()
	p := begun(t, func(terms *Terms) { terms.Message.Agent = "linger" })
	var got []string
	for name, value := range p.Head("HEAD", "https", Asking{Fields: []string{"If-None-Match: \"a: b\""}}, false) {
		got = append(got, name+"="+value)
	}
	want := []string{":method=HEAD", ":scheme=https", ":authority=127.0.0.1:8080", ":path=/page?x=1"}
	if len(got) < 5 || !slices.Equal(got[:4], want) {
		t.Errorf("it begins by %q, want %q", got, want)
	}
	if last := got[len(got)-1]; last != `if-none-match="a: b"` {
		t.Errorf("it ends by %s", last)
	}
	for _, f := range got {
		if name, _, _ := strings.Cut(f, "="); name != strings.ToLower(name) {
			t.Errorf("%s is not in lower case", name)
		}
	}
}

func TestPathThatIsNotTheSameAllTheTime(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	p := begun(t, nil)
	if d := p.PathUncertainty(); d != ms {
		t.Errorf("before any handshake the uncertainty is %v, want that of two clocks", d)
	}
	p.Reached([]time.Duration{40 * ms, 42 * ms, 41 * ms})
	for i := range 101 {
		p.noteHandshake(time.Duration(i) * ms)
	}
	if d := p.PathUncertainty(); d != 51*ms {
		t.Errorf("half of the handshakes differ by 50 ms, and the uncertainty is %v", d)
	}
	if got := p.Path(); got.Shortest != 40*ms || got.RoundTrip != 41*ms || got.Jitter != 90*ms {
		t.Errorf("the path is %+v", got)
	}
	p.late = 80 * ms
	if d := p.PathUncertainty(); d != 131*ms {
		t.Errorf("this side is late by 80 ms, and the uncertainty is %v", d)
	}
}

func TestCausesInFewWords(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		context.DeadlineExceeded:      "no answer in time",
		io.EOF:                        "it closed the connection",
		io.ErrUnexpectedEOF:           "unexpected EOF",
		syscall.ECONNRESET:            "connection reset by peer",
		errors.New("read: something"): "something",
	} {
		if got := Cause(err); !strings.Contains(got, want) {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
