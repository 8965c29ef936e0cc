package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"linger"
	"linger/compare"
	"linger/report/words"
	"linger/trace"
)

// The results of testdata/v1 were written, with -o NAME.json, by the runs whose traces
// are in trace/testdata/v1, when no document of compare had a format; probe, survey and
// chain are of linger serve objects:3x2000 --idle-timeout 700ms --max-requests 20.
func version1(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "v1", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What version 1 found in its traces, this one finds, and has not changed.
func TestResultsOfVersion1AreRead(t *testing.T) {
	for _, name := range []string{"textbook-sim", "https-sim", "https-lab", "late"} {
		b, err := os.ReadFile(filepath.Join("testdata", "v1", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		saved, err := compare.Read(b)
		if err != nil {
			t.Error(err)
			continue
		}
		f, err := os.Open(filepath.Join("..", "..", "trace", "testdata", "v1", name+".trace"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		x, _, err := trace.ReadExperiment(f)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		now := compare.Compare(x)
		if len(now.Rows) != len(saved.Rows) || len(now.Rows) == 0 {
			t.Fatalf("%s: %d rows, and %d before", name, len(now.Rows), len(saved.Rows))
		}
		var none linger.Opt[float64]
		for i, r := range now.Rows {
			// Version 1 had none of these.
			r.Request, r.AtLeast, r.Reuse, r.TripsUncertainty, r.Samples = linger.Opt[compare.Spread]{}, none, none, none, compare.Samples{}
			r.DroppedQueue, r.DroppedLoss, r.Stalls, r.Stalled = none, none, none, none
			if before := saved.Rows[i]; !reflect.DeepEqual(r, before) {
				t.Errorf("%s: found\n%+v\nand before\n%+v", name, r, before)
			}
		}
	}
}

// Nothing of a document of version 1 is lost when it is read; what it called doubts are caveats.
func TestDocumentsOfVersion1AreRead(t *testing.T) {
	var policy words.ToldProfile
	var survey []words.ToldProbed
	var chain words.ToldChain
	for name, into := range map[string]any{"probe": &policy, "survey": &survey, "chain": &chain} {
		b := bytes.ReplaceAll(version1(t, name), []byte(`"doubts":`), []byte(`"caveats":`))
		if err := json.Unmarshal(b, into); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := json.Marshal(into)
		if err != nil {
			t.Fatal(err)
		}
		var was, is any
		if json.Unmarshal(b, &was) != nil || json.Unmarshal(again, &is) != nil || !holds(is, was) {
			t.Errorf("%s was\n%s\nand is\n%s", name, bytes.TrimSpace(b), again)
		}
	}
	if policy.Format != "linger connection policy 1" || len(policy.Cases) == 0 || chain.Format != "linger chain 1" || len(survey) != 2 || survey[1].Failed == "" {
		t.Errorf("%+v, %+v, %d lines", policy, chain, len(survey))
	}
}

// holds reports whether a value of JSON has all of another: later documents may say more.
func holds(more, less any) bool {
	switch less := less.(type) {
	case map[string]any:
		more, ok := more.(map[string]any)
		for name, value := range less {
			ok = ok && holds(more[name], value)
		}
		return ok
	case []any:
		more, ok := more.([]any)
		if ok = ok && len(more) == len(less); !ok {
			return false
		}
		for i, value := range less {
			ok = ok && holds(more[i], value)
		}
		return ok
	}
	return more == less
}
