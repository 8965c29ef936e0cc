package compare

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"linger"
	"linger/finding"
)

// formats are those that Read reads. Before there was one, documents had none.
var formats = map[string]bool{Format: true, "linger comparison 2": true, "linger comparison 1": true, "": true}

// ErrSeveral is of a document that holds comparisons on several networks.
var ErrSeveral = errors.New(`it holds several networks; take one out: jq '.comparisons[] | select(.network.name == "lte")'`)

// Read reads the findings of a document that linger compare wrote, of this version or of one
// before. An error says what is wrong with it.
func Read(document []byte) (Findings, error) {
	var saved struct {
		Linger *string `json:"linger"`
		Findings
		Rows fewRows `json:"rows"` // in the place of those of Findings
	}
	var head struct {
		Format string `json:"format"`
	}
	switch err := json.Unmarshal(document, &head); {
	case err != nil:
		return Findings{}, err
	case head.Format == NetworksFormat, head.Format == "linger comparisons 1":
		return Findings{}, ErrSeveral
	case !formats[head.Format]:
		return Findings{}, fmt.Errorf("its format is %.40q, and this linger reads %q", head.Format, Format)
	}
	if err := json.Unmarshal(document, &saved); err != nil {
		return Findings{}, err
	}
	f := saved.Findings
	f.Rows = saved.Rows
	switch {
	case saved.Linger == nil:
		return Findings{}, errors.New("it names no version of linger")
	case head.Format != Format:
		var o older
		if err := json.Unmarshal(document, &o); err != nil {
			return Findings{}, err
		}
		o.fill(&f)
	}
	return f, f.Check()
}

// maxRows is how many strategies a saved result has at most. A row of two bytes takes a
// thousand times that in memory.
const maxRows = 10_000

// fewRows are read one by one, so that a file with too many is given up in time.
type fewRows []Row

// UnmarshalJSON implements json.Unmarshaler.
func (f *fewRows) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if begin, err := d.Token(); err != nil || begin != json.Delim('[') {
		return err // null, which is none
	}
	for d.More() {
		if len(*f) == maxRows {
			return fmt.Errorf("it has more than %d rows", maxRows)
		}
		var r Row
		if err := d.Decode(&r); err != nil {
			return err
		}
		*f = append(*f, r)
	}
	return nil
}

// An older document has some things under other names: caveats in version 1, and what is in
// its rows here in version 2, too.
type older struct {
	Caveats []finding.Caveat `json:"doubts"`
	Rows    []struct {
		TripsUncertainty   linger.Opt[float64] `json:"round_trips_doubt"`
		RequestsUnanswered linger.Opt[float64] `json:"requests_in_vain"`
		DNS                struct {
			Retransmitted linger.Opt[int] `json:"sent_again"`
			Kept          struct {
				SetUpBytes   float64 `json:"set_up_bytes"`
				SetUpPackets float64 `json:"set_up_packets"`
			} `json:"kept"`
		} `json:"dns"`
	} `json:"rows"`
}

// fill puts what was read under older names where it is under those of today.
func (o older) fill(f *Findings) {
	if f.Caveats == nil {
		f.Caveats = o.Caveats
	}
	for i, was := range o.Rows {
		r := &f.Rows[i]
		r.TripsUncertainty, r.RequestsUnanswered = was.TripsUncertainty, was.RequestsUnanswered
		d, ok := r.DNS.Get()
		if !ok {
			continue
		}
		d.Retransmitted = was.DNS.Retransmitted
		if k, ok := d.Kept.Get(); ok {
			k.SetUpBytes, k.SetUpPackets = was.DNS.Kept.SetUpBytes, was.DNS.Kept.SetUpPackets
			d.Kept = linger.Known(k)
		}
		r.DNS = linger.Known(d)
	}
}

// maxTrials is how many trials of a strategy a saved result has at most.
const maxTrials = 100_000

// lists are the figures of the trials.
func (s *Samples) lists() []*[]linger.Opt[float64] {
	return []*[]linger.Opt[float64]{&s.Time, &s.Connections, &s.Handshakes, &s.Packets, &s.WireBytes}
}

// Check reports why findings that were read from a file are none.
func (f Findings) Check() error {
	if len(f.Rows) == 0 {
		return errors.New("it has no rows")
	}
	seen := map[string]bool{}
	for _, r := range f.Rows {
		if r.Strategy == "" || seen[r.Strategy] {
			return fmt.Errorf("strategy %q has no name, or stands twice", r.Strategy)
		}
		seen[r.Strategy] = true
		t, ok := r.Time.Get()
		low, high := t.Low.Or(t.Median), t.High.Or(t.Median)
		for _, list := range r.Samples.lists() {
			if len(*list) > maxTrials || len(*list) != 0 && len(*list) != len(r.Samples.Time) {
				return fmt.Errorf("%d trials of %s; a figure has one value for each, at most %d", len(*list), r.Strategy, maxTrials)
			}
			for _, v := range *list {
				if v, ok := v.Get(); ok && !(v >= 0 && v < 1e15) {
					return fmt.Errorf("a figure of a trial of %s is none", r.Strategy)
				}
			}
		}
		if ok && !(t.Median >= 0 && low >= 0 && low <= t.Median && t.Median <= high && high < 1e15) {
			return fmt.Errorf("the time of %s is none", r.Strategy)
		}
	}
	return nil
}
