package sim

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"linger"
)

// A run on memory that another has left gives the trace of one on new memory.
func TestRunsKnowNothingOfEachOther(t *testing.T) {
	var scenarios []linger.Scenario
	for _, strategy := range []string{"close:6", "keep", "pipeline", "h2", "keep:6+resume"} {
		for _, loss := range []float64{0, 0.03} {
			scenarios = append(scenarios, scenario(t, over(t, linger.Gallery(1), "https"), strategy, symmetric(70*time.Millisecond, 3*linger.Mbps, loss)))
		}
	}
	traceOf := func(s linger.Scenario) []byte {
		b, err := json.Marshal(predict(t, s, plain))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var first [][]byte
	for _, s := range scenarios {
		first = append(first, traceOf(s))
	}
	for round := range 3 {
		for i := range scenarios {
			k := (i*7 + round) % len(scenarios) // each after others than before
			if !bytes.Equal(traceOf(scenarios[k]), first[k]) {
				t.Errorf("%s with %v lost differs from the first time", scenarios[k].Strategy.Name, scenarios[k].Network.Loss)
			}
		}
	}
}
