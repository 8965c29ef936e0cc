package report

import (
	"strings"
	"testing"

	"linger"
)

// Each strategy has a letter of its own, whatever the list.
func TestLettersDiffer(t *testing.T) {
	for list, want := range map[string]string{
		"close,close:6,keep,keep:6,pipeline,h2,h3":   "cCkKp23",
		"close,close:6,keep,keep:2,keep:6,pipeline":  "cCkKEp",
		"h2,h2:2,h2+resume,h3,h3+0rtt,close,close:2": "",
		linger.DefaultStrategies("dns"):              "",
	} {
		seen := map[rune]bool{}
		got := ""
		all := letters(strings.Split(list, ","))
		for s := range strings.SplitSeq(list, ",") {
			if seen[all[s]] {
				t.Errorf("%s: %c stands for two", list, all[s])
			}
			seen[all[s]] = true
			got += string(all[s])
		}
		if want != "" && got != want {
			t.Errorf("%s: %s, want %s", list, got, want)
		}
	}
}
