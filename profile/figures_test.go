package profile

import (
	"encoding/json"
	"testing"
	"time"
)

// A limit counts as shorter than another only if that cannot be the measurement's doing.
func TestShorterThan(t *testing.T) {
	const second = Duration(time.Second)
	measured := func(ms, doubt int) Timeout {
		d := Duration(ms) * Duration(time.Millisecond)
		return Timeout{State: Measured, Spread: Spread{d, d, d, 1}, Uncertainty: Duration(doubt) * Duration(time.Millisecond)}
	}
	for _, test := range []struct {
		name  string
		limit Timeout
		want  bool
	}{
		{"clearly", measured(200, 2), true},
		{"a second, read a moment too early", measured(999, 1), false},
		{"within 0.1 s of it", measured(905, 1), false},
		{"as far as the doubt reaches", measured(600, 400), false},
		{"longer", measured(2000, 1), false},
		{"a lower bound", Timeout{State: AtLeast, Spread: Spread{Low: second / 5}}, false},
		{"not measured", Timeout{State: Unknown}, false},
	} {
		if got := test.limit.ShorterThan(second); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

const s = Duration(time.Second)

func limit(d, doubt Duration) Timeout {
	return Timeout{State: Measured, Spread: Spread{d, d, d, 3}, Uncertainty: doubt, Ending: FIN}
}

func TestFiguresAreToldAsSurelyAsTheyAreKnown(t *testing.T) {
	ms := s / 1000
	for want, got := range map[string]string{
		"4.999–5.003 s":   limit(5*s+ms, 2*ms).String(),
		"4.989–5.013 s":   limit(5*s+ms, 12*ms).String(),
		"72.9–77.1 s":     limit(75*s, 2*s+s/10).String(),
		"248–252 ms":      limit(250*ms, 2*ms).String(),
		"249.8–250.2 ms":  limit(250*ms, ms/5).String(),
		"at least 74.9 s": Timeout{State: AtLeast, Spread: Spread{Low: 75*s - ms}}.String(),
		"4.9–10.1 s":      Timeout{State: Measured, Spread: Spread{7 * s, 5 * s, 10 * s, 4}, Uncertainty: s / 200}.String(),
		"not measured":    Timeout{}.String(),
		"at least 80":     Count{State: AtLeast, N: 80}.String(),
		"5 s":             (5 * s).String(),
		"1.5 ms":          (3 * ms / 2).String(),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// JSON and text tell the same interval.
func TestTheIntervalIsTheSameInJSON(t *testing.T) {
	for want, limit := range map[string]Timeout{
		`{"low":4999,"high":5003}`: limit(5*s+s/1000, s/500),
		`{"low":20000}`:            {State: AtLeast, Spread: Spread{Low: 20 * s}},
		``:                         {State: Unknown},
	} {
		b, err := json.Marshal(limit)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Interval json.RawMessage `json:"interval_ms"`
		}
		if err := json.Unmarshal(b, &got); err != nil || string(got.Interval) != want {
			t.Errorf("%s: %s, want %s (%v)", limit, got.Interval, want, err)
		}
		var again Timeout
		if err := json.Unmarshal(b, &again); err != nil || again != limit {
			t.Errorf("%s is read as %s (%v)", limit, again, err)
		}
	}
}

func TestAnnouncedIsHeldAgainstObserved(t *testing.T) {
	for _, c := range []struct {
		seen      Timeout
		announced Duration
		keeps, ok bool
	}{
		{limit(5*s, s/500), 5 * s, true, true}, {limit(5*s+s/20, s/500), 5 * s, true, true}, {limit(5*s, s/500), 6 * s, false, true}, {limit(5*s, s/500), 5 * s / 1000, false, true},
		{Timeout{State: AtLeast, Spread: Spread{Low: 20 * s}}, 5 * s, false, true}, {Timeout{State: AtLeast, Spread: Spread{Low: 20 * s}}, 60 * s, true, false}, {Timeout{}, 5 * s, false, false},
	} {
		if keeps, ok := c.seen.Keeps(c.announced); keeps != c.keeps || ok != c.ok {
			t.Errorf("%v announced as %v: %v %v", c.seen, c.announced, keeps, ok)
		}
	}
}
