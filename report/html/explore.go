package html

import (
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"linger"
	"linger/compare"
	"linger/finding"
	"linger/report/table"
	"linger/trace"
)

// predictor is the simulator, built for WebAssembly and compressed by gzip; go generate
// ./predictor makes it.
//
//go:embed page/predictor.wasm.gz
var predictor []byte

var exploreScript = asset("page/explore.js")

// predictorText returns the predictor as a page has it; see pageHTML.
var predictorText = sync.OnceValue(func() template.HTML {
	return template.HTML(base64.StdEncoding.EncodeToString(predictor))
})

// A Model is what a page needs to predict again what it shows, on other paths: what the
// simulator was given beside the scenario, and the words of the command line that give
// it the same.
type Model struct {
	Config json.RawMessage `json:"config"`
	// Workload is the argument that names it, Words are further flags, Policy that of
	// the server among them. Each is safe for a shell.
	Workload string   `json:"workload"`
	Words    []string `json:"words,omitempty"`
	// Strategies are those that can be predicted; nothing is all that the page is about.
	Strategies []string `json:"strategies,omitempty"`
	// Trials is how often each strategy runs where packets are lost.
	Trials int `json:"trials"`
}

// mostExplored bounds the exchanges of a workload that a page takes with it.
const mostExplored = 2000

// A control is a slider over values that a person would write.
type control struct {
	ID    string `json:"id"`
	Label string `json:"-"`
	At    int    `json:"at"` // where it begins
	// Values are what the simulator is given, Names what is shown, Words what the
	// command line takes.
	Values []float64 `json:"values"`
	Names  []string  `json:"names"`
	Words  []string  `json:"words"`
}

// Last is the greatest position.
func (c control) Last() int { return len(c.Values) - 1 }

// Name is what is shown at first.
func (c control) Name() string { return c.Names[c.At] }

// explorer is the part of a page in which the reader moves the path.
type explorer struct {
	Paths, Objects []control
	// Workload names the report's own. Measured says that the page is about a measurement.
	Workload  string
	Measured  bool
	Scenario  template.JS
	Predictor template.HTML
	Size      string
	Replaced  bool // letters stand for query strings
}

// An exploring is what the explorer of a page begins with.
type exploring struct {
	workload   linger.Workload
	strategies []linger.Strategy
	network    linger.Network
	seed       uint64
	// measured are the times of what was measured on that network, in ms by strategy.
	measured map[string]float64
	// others are networks that the page leads to, which the controls must be able to show.
	others []compare.Network
}

// measuredTimes are the medians of what was measured, in ms.
func measuredTimes(f compare.Findings) map[string]float64 {
	out := map[string]float64{}
	for _, r := range f.Rows {
		if t, ok := r.Time.Get(); ok && f.Provenance == trace.Measured {
			out[r.Strategy] = t.Median
		}
	}
	return out
}

// explore returns the explorer of a page; false where the workload is too large to go along,
// or no model is known.
func explore(e exploring, o Options) (*explorer, bool) {
	w, n := e.workload, e.network
	if o.Model == nil || len(w.Exchanges) > mostExplored || len(e.strategies) == 0 {
		return nil, false
	}
	x := &explorer{Predictor: predictorText(), Size: finding.Bytes(float64(len(predictorText()))), Workload: table.Clean(w.Name), Measured: len(e.measured) > 0}
	if !o.Queries {
		w, x.Replaced = withoutQueries(w)
	}
	duration := func(v float64) string { return strconv.FormatFloat(v/1e6, 'f', -1, 64) + "ms" }
	named := func(v float64) string { return finding.Lasting(v / 1e6) }
	rate := func(v float64) string { return linger.Rate(v).String() }
	rateWord := func(v float64) string {
		switch r := linger.Rate(v); {
		case r%linger.Mbps == 0:
			return fmt.Sprintf("%dmbit", r/linger.Mbps)
		case r%linger.Kbps == 0:
			return fmt.Sprintf("%dkbit", r/linger.Kbps)
		default:
			return fmt.Sprintf("%dbit", int64(r))
		}
	}
	ms := float64(time.Millisecond)
	rates := scaled(float64(linger.Kbps), 50, 100, 240, 400, 768, 1000, 1600, 3000, 5000, 9000, 12e3, 20e3, 30e3, 50e3, 100e3, 200e3, 300e3, 500e3, 1e6)
	var rtts, downs, ups, losses []float64
	for _, other := range e.others {
		rtts = append(rtts, math.Round(other.RTT.Or(0)*ms))
		downs, ups = append(downs, other.Down.Or(0)*float64(linger.Kbps)), append(ups, other.Up.Or(0)*float64(linger.Kbps))
		losses = append(losses, other.Loss.Or(0))
	}
	x.Paths = []control{
		slider("rtt", "Round-trip time", float64(n.RTT), append(rtts, scaled(ms, 0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 50, 70, 100, 150, 200, 300, 400, 600, 1000)...), named, duration),
		slider("down", "Rate down", float64(n.Down), append(downs, rates...), rate, rateWord),
		slider("up", "Rate up", float64(n.Up), append(ups, rates...), rate, rateWord),
		slider("loss", "Packet loss, up and down", n.Loss, append(losses, 0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1), func(v float64) string { return finding.Trimmed(100*v, 2) + " %" }, func(v float64) string { return strconv.FormatFloat(100*v, 'f', -1, 64) + "%" }),
	}
	whole := func(v float64) string { return strconv.FormatFloat(v, 'f', 0, 64) }
	mean := 10e3
	if len(w.Exchanges) > 1 {
		mean = math.Round(float64(w.Bytes()) / float64(len(w.Exchanges)))
	}
	count := min(200, max(1, len(w.Exchanges)-1))
	x.Objects = []control{
		slider("count", "Objects behind the page", float64(count), []float64{1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 60, 80, 100, 150, 200}, whole, whole),
		slider("size", "Size of each", nearest(mean, 100, 1e6), []float64{100, 300, 1e3, 2e3, 3e3, 5e3, 7e3, 10e3, 14e3, 20e3, 30e3, 50e3, 100e3, 200e3, 500e3, 1e6}, finding.Bytes, whole),
	}
	if w.Scheme == linger.SchemeDNS {
		x.Objects = nil // there are none
	}
	var names, words []string
	for _, s := range e.strategies {
		if len(o.Model.Strategies) == 0 || slices.Contains(o.Model.Strategies, s.Name) {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		return nil, false
	}
	for _, word := range o.Model.Words {
		words = append(words, table.Clean(word))
	}
	text, err := json.Marshal(struct {
		Config     json.RawMessage `json:"config"`
		Workload   linger.Workload `json:"workload"`
		Strategies []string        `json:"strategies"`
		Network    linger.Network  `json:"network"`
		Seed       uint64          `json:"seed"`
		Trials     int             `json:"trials"`
		Controls   []control       `json:"controls"`
		Argument   string          `json:"argument"`
		Words      []string        `json:"words"`
		Standard   bool            `json:"standard"` // the queue is what it is without a word
		// Measured are times in ms on the network where the controls begin.
		Measured map[string]float64 `json:"measured,omitempty"`
	}{
		o.Model.Config, w, names, n, e.seed, max(1, o.Model.Trials), slices.Concat(x.Paths, x.Objects), table.Clean(redact(o.Model.Workload)), words, n.Queue == linger.DefaultQueue, e.measured,
	})
	if err != nil {
		return nil, false // a model that is no JSON comes from a file of others
	}
	x.Scenario = template.JS(text)
	return x, true
}

// nearest keeps a value within bounds.
func nearest(v, least, most float64) float64 { return min(max(v, least), most) }

func scaled(unit float64, values ...float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = v * unit
	}
	return out
}

// slider makes a control that has a value of its own among the usual ones.
func slider(id, label string, at float64, usual []float64, name, word func(float64) string) control {
	usual = append(slices.Clone(usual), at)
	slices.Sort(usual)
	usual = slices.Compact(usual)
	c := control{ID: id, Label: label, At: slices.Index(usual, at), Values: usual}
	for _, v := range usual {
		c.Names, c.Words = append(c.Names, name(v)), append(c.Words, word(v))
	}
	return c
}

// withoutQueries puts letters in the place of what is redacted, as many: heads keep
// their size, over HTTP/2 nearly.
func withoutQueries(w linger.Workload) (linger.Workload, bool) {
	replaced := false
	w.Name, w.Description = redact(w.Name), ""
	w.Exchanges = slices.Clone(w.Exchanges)
	for i := range w.Exchanges {
		e := &w.Exchanges[i]
		if at := strings.IndexAny(e.Path, "?#"); at >= 0 && at+1 < len(e.Path) {
			n := len(e.Path) - at - 1
			filler := strconv.Itoa(i) + strings.Repeat("x", n)
			e.Path, replaced = e.Path[:at+1]+filler[:n], true
		}
	}
	return w, replaced
}
