package logs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"linger/fault"
	"linger/observe"
	"linger/tune"
)

// line is one of the combined format.
func line(client string, at time.Time) string {
	return fmt.Sprintf("%s - - [%s] \"GET / HTTP/1.1\" 200 10 \"-\" \"-\"\n", client, at.UTC().Format("02/Jan/2006:15:04:05 -0700"))
}

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func lines(clients ...string) string {
	var all strings.Builder
	for i, c := range clients {
		all.WriteString(line(c, noon.Add(time.Duration(i)*time.Second)))
	}
	return all.String()
}

func read(ctx context.Context, l Log, texts ...string) (*tune.Result, error) {
	var sources []observe.Source
	for i, text := range texts {
		sources = append(sources, observe.Source{Name: fmt.Sprintf("log.%d", i), From: strings.NewReader(text)})
	}
	l.Tuning.Backends = 4
	return l.Read(ctx, sources, tune.Asked{})
}

func TestLogsAreReadInOrderOfTime(t *testing.T) {
	early, late := lines(slices.Repeat([]string{"10.0.0.1", "10.0.0.2"}, 10)...), line("10.0.0.1", noon.Add(time.Minute))
	r, err := read(t.Context(), Log{}, late, "", early+"no such line\n")
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests != 21 || r.Log.Lines != 22 || r.Log.Bad != 1 || strings.Join(r.Log.Files, " ") != "log.2 log.0" {
		t.Errorf("%d requests, and of the log %+v", r.Requests, r.Log)
	}
}

func TestPartOfALog(t *testing.T) {
	r, err := read(t.Context(), Log{From: noon.Add(time.Second), To: noon.Add(3 * time.Second)}, lines("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"))
	if err != nil || r.Requests != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestUnreadableLogs(t *testing.T) {
	for _, test := range []struct {
		log  Log
		text string
		kind fault.Kind
		says string
	}{
		{Log{}, "", fault.NotMet, "there is no request in the log: it is empty"},
		{Log{}, "what is this\n", fault.NotMet, "log.0: "},
		{Log{Format: "%h %t"}, "what is this\n", fault.NotMet, "log.0: no line is of the format"},
		{Log{Format: "%s"}, "200\n", fault.WrongUsage, ""},
		{Log{Forwarded: true}, lines("10.0.0.1"), fault.WrongUsage, "has no X-Forwarded-For"},
		{Log{From: noon.Add(time.Hour)}, lines("10.0.0.1"), fault.NotMet, "no request is left"},
	} {
		_, err := read(t.Context(), test.log, test.text)
		if err == nil || fault.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v, %q: %v; want one of kind %d with %q", test.log, test.text, err, test.kind, test.says)
		}
	}
}
