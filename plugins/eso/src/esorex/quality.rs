//! Quality numbers of a run: share of finite pixels, exit status, and the QC keywords that a plugin asks for.

use ifured_core::rule::like;
use ifured_core::{Grade, QualityNumber};

use super::products::{Judged, Product, ProductRule};

/// A QC keyword that becomes a quality number.
#[derive(Clone, Debug, PartialEq)]
pub struct QcNumber {
    /// Tag of the product that has it.
    pub tag: String,
    /// Keyword without `HIERARCH`; `*` and `?` are wild, and each keyword that matches makes a number: `ESO QC BIAS MASTER? RON`.
    pub keyword: String,
    /// Name of the quality number, as a keyword: `READ NOISE`. Where several keywords match, what the wild part stands for is added.
    pub name: String,
    /// Unit.
    pub unit: String,
    /// What it is.
    pub title: String,
    /// Smallest and largest good value; infinite where there is none.
    pub limits: (f64, f64),
    /// Grade outside.
    pub grade: Grade,
}

impl QcNumber {
    /// A number without limits.
    pub fn new(tag: &str, keyword: &str, name: &str, unit: &str, title: &str) -> Self {
        let limits = (f64::NEG_INFINITY, f64::INFINITY);
        let [tag, keyword, name, unit, title] = [tag, keyword, name, unit, title].map(str::to_owned);
        QcNumber { tag, keyword, name, unit, title, limits, grade: Grade::Good }
    }

    /// Judged: `grade` unless it is between the two.
    pub fn within(mut self, low: f64, high: f64, grade: Grade) -> Self {
        (self.limits, self.grade) = ((low, high), grade);
        self
    }
}

/// All quality numbers of a run.
pub fn of(judged: &Judged, rules: &[ProductRule], wanted: &[QcNumber]) -> Vec<QualityNumber> {
    let mut numbers = Vec::new();
    if let Some(status) = judged.doubtful_status {
        let number = QualityNumber::new("EXIT STATUS", f64::from(status), "", "exit status of the recipe");
        numbers.push(number.within(0.0, 0.0, Grade::Questionable));
    }
    for rule in rules {
        let shares = judged.products.iter().filter(|p| p.tag == rule.tag).filter_map(|p| p.finite);
        if let Some(least) = shares.reduce(f64::min) {
            let title = "share of pixels that are numbers";
            numbers.push(QualityNumber::new(&format!("FINITE {}", rule.tag), least, "", title).within(
                rule.finite,
                1.0,
                Grade::Questionable,
            ));
        }
    }
    for qc in wanted {
        let of_tag: Vec<&Product> = judged.products.iter().filter(|p| p.tag == qc.tag).collect();
        for (n, product) in of_tag.iter().enumerate() {
            let file = if of_tag.len() > 1 { format!(" FILE{}", n + 1) } else { String::new() };
            numbers.extend(of_product(product, qc, &file));
        }
    }
    numbers
}

fn of_product(product: &Product, qc: &QcNumber, file: &str) -> Vec<QualityNumber> {
    let cards = product.headers.iter().flat_map(|h| h.cards());
    let found: Vec<(&str, f64)> =
        cards.filter(|c| like(&qc.keyword, &c.keyword)).filter_map(|c| Some((c.keyword.as_str(), c.value()?.as_real()?))).collect();
    let number = |(keyword, value): &(&str, f64)| {
        let which = if found.len() > 1 { format!(" {}", wild_part(&qc.keyword, keyword)) } else { String::new() };
        let number = QualityNumber::new(&format!("{}{which}{file}", qc.name), *value, &qc.unit, &qc.title);
        number.within(qc.limits.0, qc.limits.1, qc.grade)
    };
    found.iter().map(number).collect()
}

/// What of a keyword is not in the pattern, from its first to its last wild letter.
fn wild_part<'a>(pattern: &str, keyword: &'a str) -> &'a str {
    let wild = |c: char| c == '*' || c == '?';
    let before = pattern.find(wild).unwrap_or(0);
    let after = pattern.rfind(wild).map_or(0, |n| pattern.len() - n - 1);
    keyword.get(before..keyword.len().saturating_sub(after)).unwrap_or(keyword)
}

#[cfg(test)]
mod tests {
    use ifured_core::Header;

    use super::*;

    #[test]
    fn keywords_become_numbers_with_limits() {
        let mut header = Header::new();
        header.set("ESO QC BIAS MASTER1 RON", 2.75, "");
        header.set("ESO QC BIAS MASTER12 RON", 9.0, "");
        header.set("ESO QC BIAS MASTER1 RONERR", 0.1, "");
        header.set("ESO QC BIAS NBADPIX", 7, "");
        let product = Product { path: "a.fits".into(), tag: "MASTER_BIAS".into(), headers: vec![header], finite: Some(0.25) };
        let judged = Judged { products: vec![product], notes: vec![], doubtful_status: Some(3) };
        let ron =
            QcNumber::new("MASTER_BIAS", "ESO QC BIAS MASTER* RON", "READ NOISE", "electrons", "read noise").within(1.0, 5.0, Grade::Bad);
        let bad = QcNumber::new("MASTER_BIAS", "ESO QC BIAS NBADPIX", "BAD PIXELS", "pixels", "bad pixels");
        let of = |q: &QualityNumber| (q.name.clone(), q.value, q.grade);
        assert_eq!(
            super::of(&judged, &[ProductRule::required("MASTER_BIAS")], &[ron, bad]).iter().map(of).collect::<Vec<_>>(),
            [
                ("EXIT STATUS".into(), Some(3.0), Grade::Questionable),
                ("FINITE MASTER_BIAS".into(), Some(0.25), Grade::Questionable),
                ("READ NOISE 1".into(), Some(2.75), Grade::Good),
                ("READ NOISE 12".into(), Some(9.0), Grade::Bad),
                ("BAD PIXELS".into(), Some(7.0), Grade::Good),
            ]
        );
    }
}
