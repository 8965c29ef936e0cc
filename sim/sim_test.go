package sim

import (
	"context"
	"testing"

	"linger"
)

func TestFirst(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		for _, name := range []string{"close", "close:6", "keep", "keep:6", "pipeline", "h2"} {
			s, err := linger.ParseStrategy(name)
			if err != nil {
				t.Fatal(err)
			}
			n, _ := linger.ParseNetwork("lte")
			w, _ := linger.Gallery(1).WithScheme(scheme)
			tr, err := Run(context.Background(), linger.Scenario{Workload: w, Strategy: s, Network: n, Seed: 1}, Config{Host: "origin", Agent: "linger/dev", AltSvc: `h3=":443"`})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			l, _ := tr.Ledger.Get()
			var re int64
			for _, f := range l.Connections {
				re += f.Up.Retransmitted + f.Down.Retransmitted
			}
			t.Logf("%s %s: %.1f ms, %d conns, %d+%d packets, %d kB, %d again", scheme, name, tr.Ended.Milliseconds(), len(tr.Connections), l.Up.Packets, l.Down.Packets, (l.Up.Bytes+l.Down.Bytes)/1000, re)
		}
	}
}
