package conduct

import (
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
