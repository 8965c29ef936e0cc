package document

import (
	"encoding/json"
	"io"

	"linger/report/text"
)

// doctorFormat names the JSON of what the lab wants of a machine, and the version of its form.
const doctorFormat = "linger doctor 1"

// A Doctor is what the lab wants of a machine, and whether it has it.
type Doctor struct {
	Linger, System string
	Lab            bool // one can be made
	Checks         []text.Check
}

// Write writes it as JSON or as text.
func (d Doctor) Write(w io.Writer, asJSON bool, o text.Options) error {
	if !asJSON {
		return text.Doctor(w, d.Checks, o)
	}
	type way struct {
		Do  string `json:"do"`
		For string `json:"for"`
	}
	type row struct {
		Name   string `json:"name"`
		OK     bool   `json:"ok"`
		Needed bool   `json:"needed"`
		Found  string `json:"found"`
		Gives  string `json:"gives,omitempty"`
		Fix    string `json:"fix,omitempty"`
		Ways   []way  `json:"ways,omitempty"`
	}
	rows := []row{}
	for _, c := range d.Checks {
		r := row{Name: c.Name, OK: c.OK, Needed: c.Needed, Found: c.Found, Gives: c.Gives, Fix: c.Fix}
		for _, w := range c.Ways {
			r.Ways = append(r.Ways, way(w))
		}
		rows = append(rows, r)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Format   string `json:"format"`
		Linger   string `json:"linger"`
		System   string `json:"system"`
		Lab      bool   `json:"lab"`
		Findings []row  `json:"findings"`
	}{doctorFormat, d.Linger, d.System, d.Lab, rows})
}
