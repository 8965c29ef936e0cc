package trace

import (
	"os"
	"path/filepath"
	"testing"
)

// The files of testdata/v1 were written by the program that had version 1 only, with -o
// NAME.trace: compare textbook --on sim; compare objects:3x2000 --on sim --scheme https
// -s close,keep,h3 --loss 1%; the same in the lab with h2; compare objects:60x2000 -s
// keep:6,close --timeout 4s --rtt 90ms (late); get objects:3x2000 -s h3, and -s keep
// --max-requests 2 (limit); get dns -s dot+keep; and report of a HAR.
func TestFilesOfVersion1AreRead(t *testing.T) {
	for name, want := range map[string]struct {
		trials, still, failures, connections, exchanges int
	}{
		"textbook-sim": {3, 3, 0, 26, 66},
		"https-sim":    {9, 3, 0, 24, 48},
		"https-lab":    {8, 12, 0, 35, 80},
		"late":         {2, 6, 2, 213, 488},
		"get-h3":       {1, 0, 0, 1, 4},
		"get-limit":    {1, 0, 0, 2, 4},
		"get-dot":      {1, 0, 0, 1, 20},
		"har":          {1, 0, 0, 3, 8},
	} {
		f, err := os.Open(filepath.Join("testdata", "v1", name+".trace"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		x, source, err := ReadExperiment(f)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := want
		got.trials, got.still, got.failures, got.connections, got.exchanges = 0, 0, 0, 0, 0
		for i := range x.Strategies {
			got.trials += len(x.Traces[i])
			got.still += len(x.Still[i])
			got.failures += len(x.Failures[i]) + len(x.StillFailures[i])
			for _, one := range append(x.Traces[i], x.Still[i]...) {
				got.connections += len(one.Connections)
				got.exchanges += len(one.Exchanges)
				if one.Ended <= 0 || one.Ended > longest {
					t.Errorf("%s: it ended at %v", name, one.Ended)
				}
			}
		}
		if got != want || source.Linger != "dev" || source.Command == "" {
			t.Errorf("%s: %+v of %+v; want %+v", name, got, source, want)
		}
	}
}
