package tune

import (
	"math/rand/v2"
	"testing"
	"time"

	"linger"
)

// BenchmarkAdd is one arrival, of a log whose clock has seconds, and of one that tells all.
func BenchmarkAdd(b *testing.B) {
	for _, c := range []struct {
		name    string
		config  Config
		clients uint64
	}{
		{"seconds/20000clients", Config{Resolution: time.Second}, 20000},
		{"seconds/1000clients", Config{Resolution: time.Second}, 1000},
		{"exact/20000clients", exactly, 20000},
	} {
		b.Run(c.name, func(b *testing.B) {
			luck := rand.New(rand.NewPCG(1, 2))
			all := make([]Arrival, 1<<16)
			for i := range all {
				all[i] = Arrival{Client: luck.Uint64N(c.clients) * 0x9e3779b97f4a7c15, Start: 1e6*sec + linger.Instant(i)*sec/50}
				if !c.config.Durations {
					all[i].Start = all[i].Start / sec * sec
				}
				all[i].End = all[i].Start
			}
			a := New(c.config)
			span := all[len(all)-1].Start - all[0].Start
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				r := all[n%len(all)]
				shift := linger.Instant(n/len(all)) * span
				r.Start += shift
				r.End += shift
				a.Add(r)
				n++
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}
