package audit

import (
	"testing"

	"linger"
	"linger/audit/inference"
	"linger/trace"
)

// What is inferred is held against what keys show, where they show all.
func TestInferenceAgainstKeys(t *testing.T) {
	s := &script{}
	for i, turns := range []int64{3, 2} {
		c := s.h2(float64(1+10*i), "shop.example", 100).streams(3, float64(1+10*i)+.03, .1)
		c.r.Protocol, c.r.Turns = linger.HTTP11, linger.Known(turns)
	}
	together := s.h2(30, "shop.example", 100).streams(20, 30.03, .1)
	together.r.Turns = linger.Known(int64(1))
	partly := s.h2(40, "shop.example", 100).streams(2, 40.03, .1)
	partly.r.Turns = linger.Known(int64(9))
	tls, _ := partly.r.TLS.Get()
	tls.Keys = trace.SomeKeys
	partly.r.TLS = linger.Known(tls)
	got, _ := s.run(t)
	if want := (inference.Sums{Alone: inference.Sum{Connections: 2, Exact: 1, Requests: 6, Inferred: 5, Worst: -1}, Together: inference.Sum{Connections: 1, Requests: 20, Inferred: 1, Worst: -19}}); got.Inference != want {
		t.Errorf("%+v, want %+v", got.Inference, want)
	}
}
