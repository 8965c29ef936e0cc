package inferred

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"linger"
	"linger/rig"
	"linger/trace"
)

// own are the captures of the product's own client and server, whose trace is the truth.
var own = []struct {
	kind, workload, strategy string
	loss                     float64
}{
	{"h1", "objects:1x20000", "keep", 0},
	{"h1", "objects:10x300", "keep", 0},
	{"h1", "objects:99x1000", "keep", 0},
	{"h1", "objects:20x100000", "keep", 0},
	{"h1", "gallery", "keep", 0},
	{"h1", "gallery", "keep:6", 0},
	{"h1", "gallery", "close:6", 0},
	{"h1", "api:3", "keep:3", 0},
	{"h1", "gallery", "keep:6", 0.01},
	{"h1", "objects:99x1000", "keep", 0.01},
	{"h1", "objects:30x30000", "keep:2", 0.03},
	{"h1-early", "objects:10x3000", "close:3+resume", 0},
	{"h1-early", "objects:10x3000", "keep:3+resume", 0},
	{"h1-pipelined", "objects:10x300", "pipeline", 0},
	{"h1-pipelined", "objects:99x1000", "pipeline", 0},
	{"h1-pipelined", "gallery", "pipeline", 0},
	{"h1-pipelined", "gallery", "pipeline", 0.01},
	{"h1-upload", uploads, "keep", 0},
	{"h1-upload", uploads, "keep:3", 0},
	{"h1-upload", uploads, "keep", 0.02},
	{"h2", "objects:1x20000", "h2", 0},
	{"h2-side", "objects:99x1000", "h2", 0},
	{"h2-side", "gallery", "h2", 0},
	{"h2-side", "gallery", "h2", 0.01},
	{"h2", "api", "h2", 0},
	{"h2-side", "api:3", "h2", 0},
	{"h2", "api", "h2", 0.02},
	{"h2-upload", uploads, "h2", 0},
	{"h2-upload", uploads, "h2", 0.02},
	{"h3", "objects:1x20000", "h3", 0},
	{"h3-side", "objects:99x1000", "h3", 0},
	{"h3-side", "gallery", "h3", 0},
	{"h3-side", "gallery", "h3", 0.01},
	{"h3", "api", "h3", 0},
	{"h3", "api", "h3+0rtt", 0},
	{"h3", "api", "h3", 0.02},
	{"h3-upload", uploads, "h3", 0},
	{"h3-upload", uploads, "h3", 0.02},
}

// uploads are small and large, one after another, some beside others.
const uploads = `/ 3000 -
POST:/a 100 / body=300
POST:/b 2000 POST:/a body=40000
POST:/c 100 POST:/b body=400000 think=50ms
POST:/d 40000 POST:/c body=40000 delay=100ms
POST:/e 0 POST:/d status=204 body=16384
POST:/f 200 POST:/e body=5000
POST:/g 200 POST:/e body=70000
/h 90000 POST:/g
`

func workloadOf(t *testing.T, text string) linger.Workload {
	t.Helper()
	w, err := linger.ParseWorkload(text, 1)
	if strings.Contains(text, "\n") {
		w, err = linger.ParseList("uploads", strings.NewReader(text))
	}
	if err == nil {
		w, err = w.WithScheme("https")
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// performOwn takes one capture, and returns it with what each connection carried, by its
// client's address.
func performOwn(t *testing.T, ctx context.Context, i int, dir string) (capture string, truth map[string][]trace.Exchange) {
	c := own[i]
	s, err := linger.ParseStrategy(c.strategy)
	if err != nil {
		t.Fatal(err)
	}
	n, err := linger.ParseNetwork("lte")
	if err != nil {
		t.Fatal(err)
	}
	n.Loss = c.loss
	capture = filepath.Join(dir, fmt.Sprintf("own-%d.pcapng", i))
	engine := rig.Lab{Version: "dev", Keep: func(linger.Scenario, int) rig.Artifacts { return rig.Artifacts{Packets: capture} }, Lost: func(err error) {
		if err != nil {
			t.Error(err)
		}
	}}
	one, err := engine.Run(ctx, linger.Scenario{Workload: workloadOf(t, c.workload), Strategy: s, Network: n, Seed: uint64(i + 1)}, 0)
	if err != nil {
		t.Fatalf("%s by %s: %v", c.workload, c.strategy, err)
	}
	truth = map[string][]trace.Exchange{}
	client := map[int64]string{}
	for _, k := range one.Connections {
		client[k.ID] = k.Client
		truth[k.Client] = nil
	}
	for _, e := range one.Exchanges {
		if at, ok := client[e.Connection]; ok {
			truth[at] = append(truth[at], e)
		}
	}
	return capture, truth
}
