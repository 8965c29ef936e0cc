package document

import (
	"linger/audit"
	"linger/records"
	"linger/report/words"
)

// Rows are files of records.
type Rows struct {
	files   []Stream
	Writers []*records.Writer
}

// NewRows begins the files.
func NewRows[S Stream](files []S) *Rows {
	r := &Rows{}
	for _, f := range files {
		r.files, r.Writers = append(r.files, f), append(r.Writers, records.NewWriter(f))
	}
	return r
}

// Add writes the row of a connection whose cause is decided.
func (r *Rows) Add(row audit.Row) {
	for _, w := range r.Writers {
		w.WriteCause(row) // an error stays, and End returns it
	}
}

// End writes what was found, and ends the files, up to the first that cannot be written.
func (r *Rows) End(of records.Recording, found *audit.Result) error {
	for i, w := range r.Writers {
		for _, f := range found.Findings {
			w.WriteFinding(f, words.AuditFinding(f))
		}
		if err := r.files[i].End(w.Close(of)); err != nil {
			return err
		}
	}
	return nil
}
