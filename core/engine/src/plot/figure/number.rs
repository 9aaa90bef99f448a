//! Numbers of ticks and legends as they are set in print.

/// The number in print: a true minus, powers of ten with raised exponents.
pub(super) fn pretty(text: &str) -> String {
    let Some((mantissa, exponent)) = text.split_once('e') else { return text.replace('-', "−") };
    let raised: String = exponent
        .chars()
        .map(|d| match d {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            d => d.to_digit(10).and_then(|n| char::from_u32(0x2070 + n)).unwrap_or(d),
        })
        .collect();
    match mantissa {
        "1" => format!("10{raised}"),
        "-1" => format!("−10{raised}"),
        m => format!("{}×10{raised}", m.replace('-', "−")),
    }
}
