package check

import (
	"fmt"
	"strings"
	"testing"
)

func TestOutliers(t *testing.T) {
	var scores []Score
	for i := range 100 {
		scores = append(scores, Score{fmt.Sprintf("f:%d", i+1), 2 + 0.01*float64(i%20)})
	}
	scores[41].Loss, scores[73].Loss = 9, 0.01
	r := New().Report()
	r.Outliers(scores)
	if r.Counts[Outlier] != 2 || len(r.Findings) != 2 || r.Findings[0].Source != "f:42" || r.Findings[1].Source != "f:74" || !strings.Contains(r.Findings[0].Text, "9.00") {
		t.Errorf("%v", r.Findings)
	}
	few := New().Report()
	few.Outliers(scores[35:45])
	if len(few.Findings) > 0 {
		t.Errorf("ten samples: %v", few.Findings)
	}
}
