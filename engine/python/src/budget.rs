//! Bytes that connections, or calls, may keep together, as Python sees it.

use penstock_core::Budget as Core;
use pyo3::prelude::*;
use std::sync::Arc;

/// One for any number of them, of any thread.
#[pyclass(frozen, module = "penstock._engine")]
pub(crate) struct Budget {
    pub(crate) core: Arc<Core>,
}

#[pymethods]
impl Budget {
    #[new]
    fn new(limit_bytes: usize) -> Self {
        Self { core: Arc::new(Core::new(limit_bytes)) }
    }

    #[getter]
    fn limit_bytes(&self) -> usize {
        self.core.limit()
    }

    #[getter]
    fn used_bytes(&self) -> usize {
        self.core.used()
    }
}

pub(crate) fn cores(budgets: &[PyRef<'_, Budget>]) -> Vec<Arc<Core>> {
    budgets.iter().map(|budget| budget.core.clone()).collect()
}
