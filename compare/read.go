package compare

import (
	"encoding/json"
	"errors"
	"fmt"

	"linger/finding"
)

// formats are those that Read reads. Before there was one, documents had none.
var formats = map[string]bool{Format: true, "linger comparison 1": true, "": true}

// Read reads the findings of a document that linger compare wrote, of this version or of one
// before. An error says what is wrong with it.
func Read(document []byte) (Findings, error) {
	var saved struct {
		Format string  `json:"format"`
		Linger *string `json:"linger"`
		Findings
		Doubts []finding.Caveat `json:"doubts"` // what version 1 called caveats
	}
	if err := json.Unmarshal(document, &saved); err != nil {
		return Findings{}, err
	}
	f := saved.Findings
	if f.Caveats == nil {
		f.Caveats = saved.Doubts
	}
	switch {
	case !formats[saved.Format]:
		return Findings{}, fmt.Errorf("its format is %.40q, and this linger reads %q", saved.Format, Format)
	case saved.Linger == nil:
		return Findings{}, errors.New("it names no version of linger")
	}
	return f, f.Check()
}
