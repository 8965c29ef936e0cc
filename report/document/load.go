package document

import (
	"io"

	"linger/compare/capacity"
	"linger/report/formats"
	"linger/report/text"
)

// Benchmark is the ending of results of benchmarks in Go's format.
const Benchmark = ".bench"

// WriteLoad writes what a load came to in the format of an ending.
func WriteLoad(w io.Writer, ending string, r *capacity.Result, o Options) error {
	switch ending {
	case ".json":
		return formats.LoadJSON(w, r)
	case ".csv":
		return formats.LoadCSV(w, r)
	case Benchmark:
		return formats.LoadBench(w, r)
	case ".txt":
		return text.Load(w, r, o.Text)
	}
	return formats.Load(r, o.Text.Version).Write(w, ending)
}
