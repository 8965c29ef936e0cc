package inference

import "testing"

func TestSums(t *testing.T) {
	var s Sums
	if !s.IsZero() || s.Alone.Off() != 0 {
		t.Errorf("%+v is something", s)
	}
	for _, c := range []struct {
		together           bool
		requests, inferred int
	}{{false, 10, 10}, {false, 10, 8}, {false, 5, 6}, {true, 40, 3}} {
		s.Add(c.together, c.requests, c.inferred)
	}
	if want := (Sums{Sum{3, 1, 25, 24, -2}, Sum{1, 0, 40, 3, -37}}); s != want || s.Alone.Off() != -0.04 {
		t.Errorf("%+v, off by %v; want %+v", s, s.Alone.Off(), want)
	}
}
